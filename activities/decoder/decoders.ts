import { type ChildProcess, spawn } from 'node:child_process';
import type { Socket } from 'node:net';
import type { Readable } from 'node:stream';
import { fileURLToPath } from 'node:url';
import type { DecoderSays, PictureAsked, PictureMade } from './decoder-process.ts';
import { longestDecoding } from './picture-limits.ts';

const script = fileURLToPath(new URL('decoder-process.ts', import.meta.url));
/** glibc keeps memory for each thread otherwise, and gives little of it back. Nothing else of ours is in its environment. */
const arenas = { MALLOC_ARENA_MAX: '2' };
/** A new process starts in a quarter of a second, and what leaked is gone. Pictures. */
const lifetime = 500;

/** A decoder ended before it had answered. Either the picture has killed it, or somebody else has. */
class DecoderDied extends Error {
  override readonly name = 'DecoderDied';
}

type Decoder = { readonly child: ChildProcess; readonly ready: Promise<void>; done: number };

/**
 * Processes that decode what strangers have sent, one picture at a time. Whatever a picture does to them, the worker lives.
 */
export class Decoders {
  #idle: Decoder[] = [];

  /**
   * Decodes a picture. Only a fresh decoder has the last word: a used one may have too little memory left, and an idle one
   * may have been killed. A picture that kills two fresh ones is undecodable.
   * @param open opens the picture, `size` bytes, once for each try
   * @throws Error when no decoder starts, or the bytes do not come
   */
  async decode(open: () => Promise<Readable>, asked: PictureAsked, signal: AbortSignal): Promise<PictureMade> {
    const by = async (decoder: Decoder) => await this.#by(decoder, open, asked, signal).catch(undefinedIfDied);
    this.#idle = this.#idle.filter(({ child }) => isAlive(child));
    const used = this.#idle.pop();
    const made = used && (await by(used));
    if (made?.kind === 'made' || made?.late === true) return made;
    const why = 'two decoders died of it: it needs too much memory, or breaks its decoder';
    return (await by(start())) ?? (await by(start())) ?? { kind: 'undecodable', why };
  }

  async #by(
    decoder: Decoder,
    open: () => Promise<Readable>,
    asked: PictureAsked,
    signal: AbortSignal,
  ): Promise<PictureMade> {
    const { child, ready } = decoder;
    try {
      await ready;
      const made = await answered(child, await open(), asked, signal);
      decoder.done += 1;
      if (made.kind === 'made' && decoder.done < lifetime) this.#idle.push(decoder);
      else child.kill('SIGKILL');
      return made;
    } catch (error) {
      child.kill('SIGKILL');
      throw error;
    }
  }
}

function undefinedIfDied(error: unknown): undefined {
  if (!(error instanceof DecoderDied)) throw error;
}

function isAlive({ exitCode, signalCode }: ChildProcess): boolean {
  return exitCode === null && signalCode === null;
}

function start(): Decoder {
  const child = spawn(process.execPath, [script], {
    stdio: ['pipe', 'inherit', 'inherit', 'ipc'],
    serialization: 'advanced',
    env: arenas,
  });
  const { promise: ready, resolve, reject } = Promise.withResolvers<void>();
  child.once('message', () => resolve());
  child.once('exit', () => reject(new Error('No decoder starts: see the lines above')));
  child.on('error', reject);
  // Its user awaits it later.
  ready.catch(() => undefined);
  // One that ends says so by its exit. An idle one keeps nobody alive.
  child.stdin?.on('error', () => undefined);
  child.unref();
  (child.stdin as Socket | null)?.unref();
  child.channel?.unref();
  return { child, ready, done: 0 };
}

async function answered(
  child: ChildProcess,
  bytes: Readable,
  asked: PictureAsked,
  signal: AbortSignal,
): Promise<PictureMade> {
  const { promise, resolve, reject } = Promise.withResolvers<PictureMade>();
  const failed = (cause: unknown): void => reject(cause as Error);
  const exit = (code: number | null, killedBy: string | null): void =>
    failed(new DecoderDied(`The decoder ended with ${killedBy ?? `code ${String(code)}`}`));
  const aborted = (): void => failed(signal.reason);
  let late: NodeJS.Timeout | undefined;
  // Counted from the last byte: a slow object store is not the picture's fault.
  bytes.once('end', () => {
    const why = `it took longer than ${longestDecoding / 1_000} s`;
    late = setTimeout(() => resolve({ kind: 'undecodable', why, late: true }), longestDecoding);
  });
  bytes.on('error', failed);
  child.on('message', (says: DecoderSays) => says.kind !== 'ready' && resolve(says));
  child.once('exit', exit);
  child.once('error', failed);
  signal.addEventListener('abort', aborted, { once: true });
  try {
    signal.throwIfAborted();
    if (!isAlive(child)) exit(child.exitCode, child.signalCode);
    child.send(asked, (error) => error && failed(new DecoderDied(error.message)));
    bytes.pipe(child.stdin as NodeJS.WritableStream, { end: false });
    return await promise;
  } finally {
    clearTimeout(late);
    bytes.destroy();
    signal.removeEventListener('abort', aborted);
    child.removeAllListeners('message');
    child.off('exit', exit);
    child.off('error', failed);
  }
}
