import { createReadStream, close, constants, fsync, ftruncate, open, write } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';

const NEWLINE = 0x0a;
// A few hundred lines a read. With the default of 64 KiB a long journal takes several times as long.
const READ_BYTES = 1024 * 1024;

/** An append-only file of JSON lines. A line counts only once it is on the disk. */
export interface Journal {
  /** Adds a line to the next group; `durable` tells when it is on the disk. */
  append(line: unknown): void;
  /** Resolves when every line appended so far is on the disk. */
  durable(): Promise<void>;
  close(): Promise<void>;
}

/** Opens the journal of a data directory and passes each durable line to `replay`, in order. */
export async function openJournal(
  directory: string,
  replay: (line: unknown) => void,
  onLost: (error: Error) => void,
): Promise<Journal> {
  await mkdir(directory, { recursive: true });
  const path = join(directory, 'journal.jsonl');
  // O_DSYNC: a returned write is on the disk, with one trip through the thread pool instead of two.
  const flags = constants.O_RDWR | constants.O_APPEND | constants.O_CREAT | constants.O_DSYNC;
  const fd = await promisify(open)(path, flags, 0o600);
  const intact = await readLines(path, replay);
  // Without this cut the next line would be appended to the torn one, and both would be lost.
  await promisify(ftruncate)(fd, intact);
  await syncDirectory(directory);
  return groupCommit(fd, onLost);
}

/** Keeps one write in flight. Lines that come in the meantime share the next one. */
function groupCommit(fd: number, onLost: (error: Error) => void): Journal {
  let waiting: string[] = [];
  let waiters: (() => void)[] = [];
  let inFlight: (() => void)[] | undefined;
  let scheduled = false;

  function flush(): void {
    scheduled = false;
    if (inFlight !== undefined || waiting.length === 0) return;
    const group = Buffer.from(waiting.join(''));
    inFlight = waiters;
    waiting = [];
    waiters = [];
    writeFrom(group, 0);
  }

  function writeFrom(group: Buffer, offset: number): void {
    write(fd, group, offset, group.length - offset, null, (error, bytes) => {
      // Memory is now ahead of the disk, so no request may be answered any more.
      if (error !== null) return onLost(error);
      if (offset + bytes < group.length) return writeFrom(group, offset + bytes);
      const written = inFlight ?? [];
      inFlight = undefined;
      for (const resolve of written) resolve();
      flush();
    });
  }

  const durable = () => {
    if (waiting.length > 0) return new Promise<void>((resolve) => waiters.push(resolve));
    const group = inFlight;
    if (group !== undefined) return new Promise<void>((resolve) => group.push(resolve));
    return Promise.resolve();
  };

  return {
    append(line) {
      waiting.push(`${JSON.stringify(line)}\n`);
      if (scheduled || inFlight !== undefined) return;
      scheduled = true;
      // Runs after the sockets that are readable now, so that their lines share this write.
      setImmediate(flush);
    },
    durable,
    async close() {
      await durable();
      await promisify(close)(fd);
    },
  };
}

/** @returns the length of the intact part; a torn last line was never acknowledged */
async function readLines(path: string, replay: (line: unknown) => void): Promise<number> {
  let rest: Buffer = Buffer.alloc(0);
  let intact = 0;
  let broken: number | undefined;
  for await (const chunk of createReadStream(path, { highWaterMark: READ_BYTES })) {
    rest = Buffer.concat([rest, chunk as Buffer]);
    let start = 0;
    for (let end = rest.indexOf(NEWLINE); end >= 0; end = rest.indexOf(NEWLINE, start)) {
      if (broken !== undefined) {
        throw new Error(`The journal ${path} is damaged at byte ${broken}, before its last line.`);
      }
      const line = parse(rest.toString('utf8', start, end));
      if (line === undefined) broken = intact;
      else {
        replay(line);
        intact += end + 1 - start;
      }
      start = end + 1;
    }
    rest = rest.subarray(start);
  }
  return intact;
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** The file's name must be durable too, not only its lines. */
async function syncDirectory(directory: string): Promise<void> {
  const fd = await promisify(open)(directory, 'r');
  await promisify(fsync)(fd);
  await promisify(close)(fd);
}
