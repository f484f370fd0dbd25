import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { given, startedByNpm } from './config.ts';
import { bringUp } from './local/bring-up.ts';
import { runMainJob } from './local/main-job.ts';
import { type Context, openContext } from './local/stack-context.ts';
import { printTable } from './local/table.ts';

/** `npm start`: the whole of Hapax on one machine, in one process tree, with the main job done before your eyes. */

const { fresh, once } = readArguments();
const start = performance.now();
const say = (line: string) => console.log(`${((performance.now() - start) / 1000).toFixed(1).padStart(6)} s  ${line}`);
// A closed terminal takes our output away, and must not take us before the others have stopped.
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

/** Milliseconds. One Ctrl-C reaches us twice, from the terminal and through npm; a person needs longer for a second one. */
const samePress = 1_000;
let pressed = 0;
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
  process.on(signal, () => {
    if (pressed && performance.now() - pressed > samePress) process.exit(130); // impatience: the keeper ends the rest
    pressed ||= performance.now();
    void stop(0);
  });
}

/** npm that is killed tells nobody, and nobody would be left to stop us. Milliseconds. */
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

/** A stack whose job fails stays up, so that one can look why. */
async function mainJob(stack: Awaited<ReturnType<typeof bringUp>>) {
  if (/^(sk|rk)_live_/.test(given('STRIPE_SECRET_KEY') ?? '')) {
    say('The main job is not run: STRIPE_SECRET_KEY is a live key, and it would charge a card');
    return undefined;
  }
  const photograph = fileURLToPath(new URL('../docs/photograph.jpg', import.meta.url));
  return runMainJob({
    ...stack,
    photograph,
    say: (line) => {
      if (!stopping) say(line);
    },
  });
}

/** By name, never the whole directory: a mistaken HAPAX_STATE_DIRECTORY must not cost anyone their files. The cache of binaries stays. */
async function beginAnew(directory: string): Promise<void> {
  const parts = ['postgres', 'temporal', 's3', 'sandbox', 'logs', 'logs.last'];
  await Promise.all(parts.map((part) => rm(join(directory, part), { recursive: true, force: true })));
  say(`Began anew: ${parts.join(', ')} in ${directory} were removed`);
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
