import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { systems } from '../../activities/outside/systems.ts';
import type { AnySystem } from '../../activities/outside/outside-system.ts';
import { given, readConfig, type Setting } from '../config.ts';
import { startNodeWorker } from './node-worker.ts';
import type { PortSetting } from './parts.ts';
import { reachable, type Service } from './service.ts';
import type { Context } from './stack-context.ts';

type Name = keyof typeof systems;
/** The systems that steps call, and the addresses of those that are fakes. */
export type Outside = Service & { readonly fakes: { readonly [Each in Name]?: string } };

/** Each system outside: a person's own, or its fake. */
export async function provideOutside(context: Context): Promise<Outside> {
  const provided = await Promise.all(
    Object.entries(systems).map(async ([name, system]) => {
      const own = ownOf(system);
      const { address, environment } =
        own === undefined ? await fakeOf(system, context) : await ownReached(system, own);
      context.say(`${capital(system.called)} is ready`);
      const shown = { [capital((own === undefined ? system.fake : system).called.replace(/^the /, ''))]: address };
      return { environment, addresses: shown, fakes: own === undefined ? { [name]: address } : {} };
    }),
  );
  return {
    environment: Object.assign({}, ...provided.map(({ environment }) => environment)),
    addresses: Object.assign({}, ...provided.map(({ addresses }) => addresses)),
    fakes: Object.assign({}, ...provided.map(({ fakes }) => fakes)),
  };
}

type Reached = { readonly address: string; readonly environment: Record<string, string> };

/** What is given of a person's own system; undefined where nothing is, so that the fake stands in. */
function ownOf({ own }: AnySystem): readonly string[] | undefined {
  const named = own.givenBy.filter((setting) => given(setting as Setting));
  return named.length === 0 ? undefined : named;
}

async function ownReached({ called, own, fake }: AnySystem, named: readonly string[]): Promise<Reached> {
  const address = given(own.address as Setting);
  if (address === undefined) return { address: own.otherwise, environment: {} };
  readConfig([own.address as Setting]);
  await reachable(own.address, called, () => own.answers(address));
  // Something that behaves as the system does, and may be spoken to as its fake is: what is given still counts.
  const settings = Object.entries(fake.settings(address)).filter(([setting]) => !named.includes(setting));
  return { address, environment: Object.fromEntries(settings) as Record<string, string> };
}

async function fakeOf({ own, fake }: AnySystem, context: Context): Promise<Reached> {
  const [portSetting = ''] = Object.keys(fake.port);
  const port = context.settings[portSetting as PortSetting];
  const address = `http://127.0.0.1:${port}`;
  await context.run(fake.name, 'services', (logFile) =>
    startNodeWorker({
      name: fake.name,
      script: fileURLToPath(new URL(`../../${fake.script}`, import.meta.url)),
      args: ['--host', '127.0.0.1', '--port', String(port), '--data', join(context.directory, fake.name)],
      environment: {},
      readyUrl: `${address}/healthz`,
      logFile,
      keeper: context.keeper,
      advice: `See ${logFile}; another port is set by ${portSetting}, a system of your own by ${own.address}.`,
    }),
  );
  return { address, environment: fake.settings(address) as Record<string, string> };
}

function capital(text: string): string {
  return text.charAt(0).toUpperCase() + text.slice(1);
}
