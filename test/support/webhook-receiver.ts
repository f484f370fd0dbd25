import { createServer, type IncomingHttpHeaders, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

/** One webhook, as it arrived. */
type Arrived = { readonly headers: IncomingHttpHeaders; readonly body: string; readonly path: string };

type Answer = (response: ServerResponse, arrived: Arrived) => void;

/** Another one's system, which gets webhooks and keeps what it got. */
export class WebhookReceiver {
  readonly arrived: Arrived[] = [];
  /** What it answers from now on. */
  answer: Answer = (response) => response.writeHead(204).end();
  readonly #server: Server;
  port = 0;

  private constructor() {
    this.#server = createServer((request, response) => {
      const pieces: Buffer[] = [];
      request.on('data', (piece: Buffer) => pieces.push(piece));
      request.on('end', () => {
        const arrived = { headers: request.headers, body: Buffer.concat(pieces).toString(), path: request.url ?? '' };
        this.arrived.push(arrived);
        this.answer(response, arrived);
      });
    });
  }

  static async start(): Promise<WebhookReceiver> {
    const receiver = new WebhookReceiver();
    await new Promise<void>((resolve) => receiver.#server.listen(0, '127.0.0.1', resolve));
    receiver.port = (receiver.#server.address() as AddressInfo).port;
    return receiver;
  }

  get url(): string {
    return `http://127.0.0.1:${this.port}/hooks`;
  }

  /** How often a message has arrived. */
  times(message: string, path?: string): number {
    return this.arrived.filter(
      ({ headers, path: at }) => headers['webhook-id'] === message && (path === undefined || path === at),
    ).length;
  }

  async goAway(): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }
}
