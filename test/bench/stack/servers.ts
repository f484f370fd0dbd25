import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { readConfig } from '../../../workers/config.ts';
import { type Child, startChild } from '../../../workers/local/child.ts';
import { findTemporal } from '../../../workers/local/find-temporal.ts';
import { freePorts } from '../../../workers/local/free-port.ts';
import { type Keeper, startKeeper } from '../../../workers/local/keeper.ts';
import { startPostgres } from '../../../workers/local/postgres.ts';
import { startTemporal } from '../../../workers/local/temporal.ts';
import { untilReady } from '../../../workers/local/until-ready.ts';

export type Servers = Awaited<ReturnType<typeof startServers>>;

const sandboxProgram = fileURLToPath(new URL('../../../workers/sandbox/main.ts', import.meta.url));

/** The real servers, each a process of its own, so that its processor time can be told from the others'. */
export async function startServers(store: 'memory' | 'file') {
  const settings = readConfig(['TEMPORAL_CLI', 'PATH', 'HAPAX_STATE_DIRECTORY']);
  const cache = join(settings.HAPAX_STATE_DIRECTORY, 'cache', 'bin');
  const keeper = startKeeper();
  const [postgresPort = 0, temporalPort = 0, sandboxPort = 0] = await freePorts(3);
  const root = await mkdtemp(join(tmpdir(), 'hapax-bench-'));
  const [postgres, temporal, sandbox] = await Promise.all([
    startPostgres({ directory: `${root}/postgres`, port: postgresPort, logFile: `${root}/postgres.log`, keeper }),
    findTemporal({ chosen: settings.TEMPORAL_CLI, path: settings.PATH, cache, say: console.log }).then((binary) =>
      startTemporal({
        binary,
        directory: `${root}/temporal`,
        port: temporalPort,
        logFile: `${root}/temporal.log`,
        persist: store === 'file',
        keeper,
      }),
    ),
    startSandboxProcess(root, 'sandbox', sandboxPort, keeper),
  ]);
  return {
    root,
    postgres,
    temporal,
    sandbox,
    stores: {
      postgres: 'PostgreSQL 18, fsync and synchronous_commit on',
      temporal: `Temporal dev server, store in ${store === 'file' ? 'a file (WAL, synchronous=NORMAL)' : 'memory'}`,
      sandbox: 'payment sandbox, journal with fsync',
    },
    /** Another one, over what is in the folder of that name. */
    async startSandbox(name: string) {
      const [port = 0] = await freePorts(1);
      return await startSandboxProcess(root, name, port, keeper);
    },
    async stop() {
      await Promise.all([sandbox.stop(), postgres.stop(), temporal.stop()]);
      await keeper.close();
      await rm(root, { recursive: true, force: true });
    },
  };
}

async function startSandboxProcess(
  root: string,
  name: string,
  port: number,
  keeper: Keeper,
): Promise<Child & { url: string }> {
  const child = await startChild({
    command: process.execPath,
    args: [sandboxProgram, '--data', `${root}/${name}`, '--port', String(port)],
    logFile: `${root}/${name}.log`,
    keeper,
  });
  const url = `http://127.0.0.1:${port}`;
  await untilReady({
    what: 'The payment sandbox',
    child,
    probe: () => fetch(`${url}/healthz`),
    advice: `See ${root}/${name}.log.`,
  });
  return { ...child, url };
}
