import { mkdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { signalGroup } from './child.ts';
import { startTime } from './process-identity.ts';

/** A process id alone does not identify a process: the kernel gives it to another program later. */
type Process = { pid: number; startTime: string };

type StackFile = Process & {
  state: 'starting' | 'ready';
  startedAt: string;
  addresses: Record<string, string>;
  /** Settings with which a command reaches what runs here. */
  environment: Record<string, string>;
  processes: Record<string, Process>;
};

/** `.hapax/stack.json`: tells people and programs what runs where, and keeps a second stack from starting. */
export type Stack = {
  started(name: string, pid: number): Promise<void>;
  ready(addresses: Record<string, string>, environment: Record<string, string>): Promise<void>;
  /** Removes the file: nothing runs any more. */
  release(): Promise<void>;
};

/**
 * Takes the state directory for this process. Ends what a killed stack left behind, and ignores its file.
 * @throws in one sentence, when another stack runs on it
 */
export async function claimStack(directory: string): Promise<Stack> {
  const file = join(directory, 'stack.json');
  await mkdir(directory, { recursive: true });
  const content: StackFile = {
    ...(await identify(process.pid)),
    state: 'starting',
    startedAt: new Date().toISOString(),
    addresses: {},
    environment: {},
    processes: {},
  };
  for (;;) {
    try {
      // wx: when two start at once, only one makes the file.
      await writeFile(file, JSON.stringify(content, null, 2), { flag: 'wx', mode: 0o600 });
      break;
    } catch (fault) {
      if ((fault as NodeJS.ErrnoException).code !== 'EEXIST') throw fault;
      await clearStale(file);
    }
  }
  // Writes run one after the other, and each replaces the whole file: a reader never sees half of it.
  let lastWrite = Promise.resolve();
  const write = (): Promise<void> => {
    lastWrite = lastWrite.then(async () => {
      await writeFile(`${file}.new`, JSON.stringify(content, null, 2), { mode: 0o600 });
      await rename(`${file}.new`, file);
    });
    return lastWrite;
  };
  return {
    async started(name, pid) {
      content.processes[name] = await identify(pid);
      await write();
    },
    async ready(addresses, environment) {
      content.state = 'ready';
      content.addresses = addresses;
      content.environment = environment;
      await write();
    },
    async release() {
      await lastWrite.catch(() => {});
      await rm(file, { force: true });
    },
  };
}

/** @returns how the stack that runs on a state directory is reached; undefined where none is ready there */
export async function runningStack(directory: string): Promise<Readonly<Record<string, string>> | undefined> {
  const stack = parse(await readFile(join(directory, 'stack.json'), 'utf8').catch(() => undefined));
  return stack?.state === 'ready' && (await runs(stack)) ? stack.environment : undefined;
}

const identify = async (pid: number): Promise<Process> => ({ pid, startTime: (await startTime(pid)) ?? '' });

const runs = async (known: Process) => (await startTime(known.pid)) === known.startTime;

async function clearStale(file: string): Promise<void> {
  const text = await readFile(file, 'utf8').catch(() => undefined);
  const stack = parse(text);
  if (stack && (await runs(stack))) {
    const where = stack.addresses['HTTP'] ? ` at ${stack.addresses['HTTP']}` : '';
    throw new Error(`Hapax already runs here${where} (process ${stack.pid}): use it, or stop it first.`);
  }
  await Promise.all(Object.values(stack?.processes ?? {}).map(endLeftover));
  await rm(file, { force: true });
}

/** A file that cannot be parsed was being written when the machine went down, and says nothing. */
function parse(text: string | undefined): StackFile | undefined {
  try {
    return text ? (JSON.parse(text) as StackFile) : undefined;
  } catch {
    return undefined;
  }
}

/** The keeper ends them within 3 s. This covers the case that it was killed as well. */
async function endLeftover(known: Process): Promise<void> {
  for (let look = 0; look < 40 && (await runs(known)); look++) {
    if (look === 0) signalGroup(known.pid, 'SIGTERM');
    await pause(100);
  }
  if (await runs(known)) signalGroup(known.pid, 'SIGKILL');
}
