import { once } from 'node:events';
import { createServer, type IncomingMessage, request, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

/**
 * What proxies do between a caller and a door: `buffers` passes a request on once it has all of it, and likewise the
 * answer; `gives-up` says 504 as soon as it has passed the request on, and the door goes on; `retries` loses the first
 * answer and sends the same request again.
 */
export type Habit = 'buffers' | 'gives-up' | 'retries';

type Passed = { readonly status: number; readonly headers: IncomingMessage['headers']; readonly body: Buffer };

export class AwkwardProxy {
  readonly url: string;
  /** What the door was asked, in order. */
  readonly sent: string[];
  readonly #server: ReturnType<typeof createServer>;

  private constructor(url: string, sent: string[], server: ReturnType<typeof createServer>) {
    this.url = url;
    this.sent = sent;
    this.#server = server;
  }

  static async to(door: string, habit: Habit): Promise<AwkwardProxy> {
    const sent: string[] = [];
    const pass = async (asked: IncomingMessage, body: Buffer): Promise<Passed> => {
      sent.push(`${asked.method} ${asked.url}`);
      const headers = { ...asked.headers, 'content-length': body.length, connection: 'close' };
      const passing = request(new URL(asked.url ?? '/', door), { method: asked.method ?? 'GET', headers });
      passing.end(body);
      const [answer] = (await once(passing, 'response')) as [IncomingMessage];
      return { status: answer.statusCode ?? 502, headers: answer.headers, body: await whole(answer) };
    };
    const serve = async (asked: IncomingMessage, answer: ServerResponse): Promise<void> => {
      const body = await whole(asked);
      const writes = asked.method !== 'GET';
      if (habit === 'retries' && writes) await pass(asked, body);
      const passing = pass(asked, body);
      if (habit === 'gives-up' && writes) {
        passing.catch(() => undefined);
        answer.writeHead(504).end();
        return;
      }
      const { status, headers, body: answered } = await passing;
      const { connection: _, 'transfer-encoding': __, ...end } = headers;
      answer.writeHead(status, { ...end, 'content-length': answered.length }).end(answered);
    };
    const server = createServer((asked, answer) => {
      serve(asked, answer).catch(() => answer.writeHead(502).end());
    });
    await once(server.listen(0, '127.0.0.1'), 'listening');
    return new AwkwardProxy(`http://127.0.0.1:${(server.address() as AddressInfo).port}`, sent, server);
  }

  async close(): Promise<void> {
    this.#server.close();
    this.#server.closeAllConnections();
    await once(this.#server, 'close');
  }
}

async function whole(stream: IncomingMessage): Promise<Buffer> {
  const pieces: Buffer[] = [];
  for await (const piece of stream) pieces.push(piece as Buffer);
  return Buffer.concat(pieces);
}
