import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { systems } from '../activities/outside/systems.ts';
import { given, startedByNpm } from './config.ts';
import { bringUp } from './local/bring-up.ts';
import { runMainJob } from './local/main-job.ts';
import { type Context, openContext } from './local/stack-context.ts';
import { printTable } from './local/table.ts';

/** `npm start`: all of Hapax on one machine, in one process tree. It runs a checkout and an upload while you watch. */

const { fresh, once } = readArguments();
const start = performance.now();
const say = (line: string) => console.log(`${((performance.now() - start) / 1000).toFixed(1).padStart(6)} s  ${line}`);
// A closed terminal ends our output, but must not end us before the other processes have stopped.
process.stdout.on('error', () => {});

let context: Context | undefined;
let stopping: Promise<void> | undefined;

async function stop(code: number): Promise<never> {
  if (context) {
    stopping ??= context.stopAll();
    await stopping;
  }
  process.exit(code);
}

/**
 * Milliseconds. One Ctrl-C reaches us twice, from the terminal and through npm. A person needs longer to press it
 * again.
 */
const samePress = 1_000;
let pressed = 0;
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
  process.on(signal, () => {
    if (pressed && performance.now() - pressed > samePress) process.exit(130); // pressed again: the keeper ends the rest
    pressed ||= performance.now();
    void stop(0);
  });
}

/** A killed npm sends no signal, and nothing else would stop us. Milliseconds. */
const lookAfterParent = 1_000;
const parent = process.ppid;
if (startedByNpm()) setInterval(() => process.ppid !== parent && void stop(0), lookAfterParent).unref();

try {
  context = await openContext(say);
  if (fresh) await beginAnew(context.directory);
  const stack = await bringUp(context);
  say('Everything is ready');
  const job = await mainJob(stack);
  if (once) await stop(job?.faults.length === 0 ? 0 : 1);
  if (!stopping) printTable({ ...stack, ...job, directory: context.directory });
} catch (fault) {
  if (!stopping) {
    console.error((fault as Error).message);
    await stop(1);
  }
}

/** If the job fails, the stack stays up, so that one can find out why. */
async function mainJob(stack: Awaited<ReturnType<typeof bringUp>>) {
  if (/^(sk|rk)_live_/.test(given('STRIPE_SECRET_KEY') ?? '')) {
    say('The main job is not run: STRIPE_SECRET_KEY is a live key, and it would charge a card');
    return undefined;
  }
  const photograph = fileURLToPath(new URL('../docs/photograph.jpg', import.meta.url));
  return runMainJob({
    ...stack,
    sandboxUrl: stack.fakes.payments,
    photograph,
    say: (line) => {
      if (!stopping) say(line);
    },
  });
}

/**
 * Removes its parts by name, never the whole directory: a mistaken HAPAX_STATE_DIRECTORY must not cost anyone their
 * files. The cache of binaries stays.
 */
async function beginAnew(directory: string): Promise<void> {
  const fakes = Object.values(systems).map(({ fake }) => fake.name);
  const parts = ['postgres', 'temporal', 's3', 'redis', 'nats', 'mail', ...fakes, 'logs', 'logs.last'];
  await Promise.all(parts.map((part) => rm(join(directory, part), { recursive: true, force: true })));
  say(`Starting afresh: ${parts.join(', ')} in ${directory} were removed`);
}

function readArguments(): { fresh: boolean; once: boolean } {
  try {
    const { values } = parseArgs({
      options: { fresh: { type: 'boolean', default: false }, once: { type: 'boolean', default: false } },
    });
    return values;
  } catch (fault) {
    console.error(`${(fault as Error).message}\nUse: npm start -- [--fresh] [--once]`);
    process.exit(2);
  }
}
