import { connect, createServer, type Server, type Socket } from 'node:net';

/** The way from one process to PostgreSQL or Temporal, which a test may cut, slow down, or let swallow everything. */
export class FaultyLine {
  readonly url: string;
  /** Bytes that came from the near side. */
  sent = 0;
  readonly #server: Server;
  #target: URL;
  /** Bytes that still come through before it swallows everything. */
  #left = Number.POSITIVE_INFINITY;
  readonly #pairs = new Set<readonly [Socket, Socket]>();
  /** What each piece takes more on its way there, in milliseconds; it is lost if the line is cut meanwhile. */
  readonly #slower: number;
  #state: 'well' | 'refusing' | 'swallowing' = 'well';
  /** What one of the first pieces of a new connection takes more, in milliseconds, and which one. */
  #greeting = { late: 0, piece: 1 };
  /** So many bytes at the end of each piece are lost on their way there, and the end of a connection is too. */
  #cutting = 0;

  private constructor(server: Server, target: URL, url: string, slower: number) {
    this.#server = server;
    this.#target = target;
    this.#slower = slower;
    this.url = url;
    server.on('connection', (near) => this.#joined(near));
  }

  /** @param target with a scheme, a host and a port */
  static async to(target: string, slower = 0): Promise<FaultyLine> {
    const server = createServer();
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const url = new URL(target);
    url.hostname = '127.0.0.1';
    url.port = String((server.address() as { port: number }).port);
    return new FaultyLine(server, new URL(target), url.href, slower);
  }

  #joined(near: Socket): void {
    near.on('error', () => undefined);
    if (this.#state === 'refusing') return void near.resetAndDestroy();
    const far = connect(Number(this.#target.port), this.#target.hostname);
    far.on('error', () => near.destroy());
    const pair = [near, far] as const;
    this.#pairs.add(pair);
    const greeting = this.#greeting;
    let pieces = 0;
    near.on('data', (chunk) => {
      this.sent += chunk.length;
      pieces += 1;
      if (this.#state !== 'well') return;
      this.#left -= chunk.length;
      if (this.#left <= 0) this.swallow();
      const late = pieces === greeting.piece ? Math.max(this.#slower, greeting.late) : this.#slower;
      if (this.#cutting > 0) far.write(chunk.subarray(0, -this.#cutting));
      else if (late === 0) far.write(chunk);
      else setTimeout(() => far.writable && far.write(chunk), late);
    });
    far.on('data', (chunk) => this.#state === 'well' && near.write(chunk));
    near.on('close', () => {
      if (this.#cutting > 0) return;
      far.destroy();
      this.#pairs.delete(pair);
    });
    far.on('close', () => near.destroy());
  }

  /** PostgreSQL has gone: what is connected is reset, what connects is refused. */
  refuse(): void {
    this.#state = 'refusing';
    this.#cut();
  }

  /** A network that loses everything, or a frozen server: connections stand, and nothing comes through. */
  swallow(): void {
    this.#state = 'swallowing';
  }

  /** The same, once so many more bytes have come through. */
  swallowAfter(bytes: number): void {
    this.#left = bytes;
  }

  /** A busy machine: what connects from now on is heard this many milliseconds later, from its first piece on or a later one. */
  greetLate(late: number, piece = 1): void {
    this.#greeting = { late, piece };
  }

  /** A network that goes away in the middle of a piece: its last bytes are lost, and so is every word of an end. */
  loseTheLast(bytes: number): void {
    this.#cutting = bytes;
  }

  /** Somebody has put another server, or a pooler, behind the address: what is connected begins anew there. */
  turnTo(target: string): void {
    this.#target = new URL(target);
    this.#cut();
  }

  /** Bytes that were lost are lost: what is connected begins anew. */
  heal(): void {
    this.#state = 'well';
    this.#cutting = 0;
    this.#left = Number.POSITIVE_INFINITY;
    this.#cut();
  }

  #cut(): void {
    for (const [near, far] of this.#pairs) {
      near.resetAndDestroy();
      far.destroy();
    }
  }

  async close(): Promise<void> {
    this.#state = 'refusing';
    this.#cutting = 0;
    this.#cut();
    await new Promise<void>((resolve) => this.#server.close(() => resolve()));
  }
}
