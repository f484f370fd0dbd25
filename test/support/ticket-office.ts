import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

/**
 * How the office fails until it heals. `unheard` loses the request on its way in: it arrives when the office heals,
 * even if its sender has long gone. `unanswered` has the effect and loses the answer.
 */
type OfficeFault = 'refuse' | 'busy' | 'unheard' | 'unanswered' | 'cut' | 'fail' | 'fail after the effect';

type OfficeEffect = { readonly type: string; readonly key: string };

type Answer = { readonly status: number; readonly body: unknown };

/**
 * An outside system that honours idempotency keys. It issues tickets and seat maps, and voids them by the key they were
 * issued under; a voided key never issues anything again. It keeps a list of its effects.
 */
export class TicketOffice {
  readonly url: string;
  readonly effects: OfficeEffect[] = [];
  readonly #server: Server;
  readonly #answers = new Map<string, Answer>();
  readonly #voided = new Set<string>();
  readonly #faults = new Map<string, OfficeFault>();
  #late: (() => unknown)[] = [];
  #away = false;

  private constructor(server: Server, url: string) {
    this.#server = server;
    this.url = url;
    server.on('connection', (socket) => this.#away && socket.resetAndDestroy());
    server.on('request', (request, response) => void this.#serve(request, response));
  }

  static async open(): Promise<TicketOffice> {
    const server = createServer();
    await listen(server, 0);
    return new TicketOffice(server, `http://127.0.0.1:${(server.address() as AddressInfo).port}`);
  }

  /** Requests of this path meet the fault until the office heals. */
  fault(path: '/tickets' | '/seat-maps', fault: OfficeFault): void {
    this.#faults.set(path, fault);
  }

  /** The office is gone altogether: connections are reset, those that stand and those to come. */
  leave(): void {
    this.#away = true;
    this.#server.closeAllConnections();
  }

  heal(): void {
    this.#away = false;
    this.#faults.clear();
    for (const arrives of this.#late.splice(0)) arrives();
  }

  async close(): Promise<void> {
    await close(this.#server);
  }

  async #serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const path = request.url ?? '';
    const key = String(request.headers['idempotency-key']);
    const text = await bodyOf(request);
    const fault = this.#faults.get(path);
    switch (fault) {
      case 'unheard':
        return void this.#late.push(() => this.#answer(path, key, text));
      case 'unanswered':
        return void this.#answer(path, key, text);
      case 'busy':
        return send(response, { status: 429, body: {} });
      case 'cut':
        return void response.destroy();
      case 'fail':
        return send(response, { status: 500, body: {} });
      case 'fail after the effect':
        this.#answer(path, key, text);
        return send(response, { status: 500, body: {} });
      case 'refuse':
        return send(
          response,
          this.#once(key, () => ({ status: 409, body: { reason: 'it is sold out' } })),
        );
      case undefined:
        return send(response, this.#answer(path, key, text));
    }
  }

  #answer(path: string, key: string, text: string): Answer {
    return this.#once(key, () => {
      if (path === '/voids') return this.#void((JSON.parse(text) as { key: string }).key);
      const type = path.slice(1, -1);
      if (this.#voided.has(key)) return { status: 410, body: { reason: 'this key was voided' } };
      this.effects.push({ type: `${type}.issued`, key });
      return { status: 201, body: { number: `${type}-${this.effects.length}` } };
    });
  }

  #void(key: string): Answer {
    const issued = this.effects.find((effect) => effect.key === key);
    if (issued !== undefined && !this.#voided.has(key))
      this.effects.push({ type: issued.type.replace('issued', 'voided'), key });
    this.#voided.add(key);
    return { status: 200, body: {} };
  }

  /** The first answer of a key is given again. */
  #once(key: string, work: () => Answer): Answer {
    const answer = this.#answers.get(key) ?? work();
    this.#answers.set(key, answer);
    return answer;
  }
}

function send(response: ServerResponse, { status, body }: Answer): void {
  response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body));
}

async function bodyOf(request: IncomingMessage): Promise<string> {
  const pieces: Uint8Array[] = [];
  for await (const piece of request) pieces.push(piece as Uint8Array);
  return Buffer.concat(pieces).toString();
}

async function listen(server: Server, port: number): Promise<void> {
  await new Promise<void>((resolve, reject) => server.once('error', reject).listen(port, '127.0.0.1', resolve));
}

async function close(server: Server): Promise<void> {
  await new Promise<void>((resolve) => {
    server.close(() => resolve());
    server.closeAllConnections();
  });
}
