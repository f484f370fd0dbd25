import { type ChildProcess, spawn } from 'node:child_process';
import { createWriteStream } from 'node:fs';
import { join } from 'node:path';
import { type Keeper, startKeeper } from '../../workers/local/keeper.ts';

/** How long a process may take to be ready when two test files share two cores with whatever else runs. Milliseconds. */
const readyWithin = 60_000;

/**
 * What Node has compiled, for the next process: hundreds are started in a run, each of five processes of a world takes a
 * third of a second less, and they share two cores.
 */
const compiled = join('.hapax', 'compiled');

/** Ends what a test run leaves that was killed itself. */
let keeper: Keeper | undefined;

/** A process of the product, started as its users start it, that a test may stop, freeze and kill. */
export class ProcessHandle {
  readonly name: string;
  readonly address: string;
  readonly #child: ChildProcess;
  readonly #ended: Promise<void>;

  private constructor(name: string, address: string, child: ChildProcess, ended: Promise<void>) {
    this.name = name;
    this.address = address;
    this.#child = child;
    this.#ended = ended;
  }

  /** @returns once the process has printed `… ready ADDRESS` */
  static async start(
    script: string,
    options: { env: Record<string, string>; logFile: string; args?: readonly string[] },
  ): Promise<ProcessHandle> {
    const child = spawn(process.execPath, [script, ...(options.args ?? [])], {
      env: { PATH: process.env.PATH, HOME: process.env.HOME, NODE_COMPILE_CACHE: compiled, ...options.env },
      stdio: ['ignore', 'pipe', 'pipe'],
      detached: true,
    });
    keeper ??= startKeeper();
    if (child.pid !== undefined) keeper.watch(child.pid, 'SIGKILL');
    const log = createWriteStream(options.logFile, { flags: 'a' });
    const ended = new Promise<void>((resolve) => child.once('exit', () => resolve()));
    let text = '';
    const address = await new Promise<string>((resolve, reject) => {
      const tooLate = () => reject(new Error(`${script} is not ready after ${readyWithin} ms:\n${text}`));
      const late = setTimeout(tooLate, readyWithin);
      const read = (chunk: Buffer): void => {
        log.write(chunk);
        if (text.length > 100_000) return;
        text += chunk.toString();
        const match = /(?:ready |"url":")(http[^\s"]+)/.exec(text);
        if (match === null) return;
        clearTimeout(late);
        resolve(match[1] as string);
      };
      child.stdout?.on('data', read);
      child.stderr?.on('data', read);
      child.once('exit', (code) => reject(new Error(`${script} ended with ${code}:\n${text}`)));
    });
    void ended.then(() => keeper?.forget(child.pid as number));
    return new ProcessHandle(script, address, child, ended);
  }

  get pid(): number {
    return this.#child.pid as number;
  }

  get running(): boolean {
    return this.#child.exitCode === null && this.#child.signalCode === null;
  }

  signal(signal: NodeJS.Signals): void {
    this.#child.kill(signal);
  }

  /** Resolves when the process has gone, however it went. */
  async gone(): Promise<void> {
    await this.#ended;
  }

  async kill(): Promise<void> {
    this.#child.kill('SIGCONT');
    this.#child.kill('SIGKILL');
    await this.#ended;
  }

  async stop(): Promise<void> {
    if (!this.running) return;
    this.#child.kill('SIGCONT');
    this.#child.kill('SIGTERM');
    const late = setTimeout(() => this.#child.kill('SIGKILL'), 8_000);
    await this.#ended;
    clearTimeout(late);
  }
}
