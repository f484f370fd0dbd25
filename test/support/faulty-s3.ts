import { once } from 'node:events';
import { Agent, createServer, type IncomingMessage, request, type Server, type ServerResponse } from 'node:http';
import { pipeline } from 'node:stream/promises';

export type S3Call =
  | 'PutObject'
  | 'GetObject'
  | 'HeadObject'
  | 'DeleteObject'
  | 'ListObjectsV2'
  | 'CreateMultipartUpload'
  | 'UploadPart'
  | 'ListParts'
  | 'ListMultipartUploads'
  | 'CompleteMultipartUpload'
  | 'AbortMultipartUpload';

/** What becomes of a call on its way to the store and back. */
export type S3Fault =
  /** 503, and the store hears nothing. */
  | 'refused'
  /** The connection breaks, and the store hears nothing. */
  | 'reset'
  /** A network that loses everything: the connection stands, nothing comes through, and healing brings nothing back. */
  | 'swallowed'
  /** The store does it, and the connection breaks before its answer. */
  | 'answer-lost'
  /** The store does it, and its answer is a 503 of somebody in between. */
  | 'answer-refused'
  /** The store does it, and its answer waits until the outage ends. */
  | 'answer-held'
  /** The connection breaks in the middle of what is sent. Bytes. */
  | { readonly cutAfter: number }
  /** The answer takes this long. Milliseconds. */
  | { readonly delayedBy: number }
  /**
   * An error of S3 comes instead of the answer, whether or not the store has `done` it. Status 200 is possible. A `held`
   * one waits until the outage ends.
   */
  | { readonly status: number; readonly code: string; readonly done: boolean; readonly held?: boolean };

/** A fault that lasts until it is ended, for the calls that it concerns. */
export class S3Outage {
  readonly fault: S3Fault;
  readonly #calls: readonly S3Call[];
  readonly #about: string;
  /** How many calls it has met. */
  met = 0;
  /** How many the store has done, whose answers wait or are lost. */
  done = 0;
  #left: number;
  readonly #ended = Promise.withResolvers<void>();

  /** @param about a part of the address: an operation's id, or what ids of the same operation end in */
  constructor(fault: S3Fault, calls: readonly S3Call[], about: string, times: number) {
    this.fault = fault;
    this.#calls = calls;
    this.#about = about;
    this.#left = times;
  }

  meets(asked: IncomingMessage): boolean {
    if (this.#left === 0 || !this.#calls.includes(callOf(asked)) || !asked.url?.includes(this.#about)) return false;
    this.#left -= 1;
    this.met += 1;
    return true;
  }

  get ended(): Promise<void> {
    return this.#ended.promise;
  }

  end(): void {
    this.#left = 0;
    this.#ended.resolve();
  }
}

/** The way from one process to the object store, on which a test lets chosen calls fail. The store itself is real. */
export class FaultyS3 {
  readonly url: string;
  readonly #server: Server;
  readonly #endpoint: URL;
  readonly #agent = new Agent();
  readonly #outages: S3Outage[] = [];
  readonly #passed: { readonly call: S3Call; readonly url: string }[] = [];

  private constructor(server: Server, endpoint: URL) {
    this.#server = server;
    this.#endpoint = endpoint;
    this.url = `http://127.0.0.1:${(server.address() as { port: number }).port}`;
    server.on('request', (near, answer) => {
      // Kept: a request that has failed has lost its socket. One that was answered shares it with the next.
      const { socket } = near;
      void this.#pass(near, answer).catch(() => answer.writableFinished || socket.resetAndDestroy());
    });
  }

  static async to(endpoint: string): Promise<FaultyS3> {
    // The store keeps idle connections; a way there that closes them would be a fault that nobody has planned.
    const server = createServer({ keepAliveTimeout: 0 });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    return new FaultyS3(server, new URL(endpoint));
  }

  /** Plans a fault. Those that were planned first come first. */
  fail(fault: S3Fault, calls: readonly S3Call[], about: string, times = Number.POSITIVE_INFINITY): S3Outage {
    const outage = new S3Outage(fault, calls, about, times);
    this.#outages.push(outage);
    return outage;
  }

  /** @returns how often the store got this call, about an operation */
  count(call: S3Call, about: string): number {
    return this.#passed.filter((one) => one.call === call && one.url.includes(about)).length;
  }

  async #pass(near: IncomingMessage, answer: ServerResponse): Promise<void> {
    const outage = this.#outages.find((planned) => planned.meets(near));
    const fault = outage?.fault;
    if (fault === 'swallowed') return;
    if (fault === 'reset') return void near.socket.resetAndDestroy();
    if (fault === 'refused') return unavailable(near, answer);
    if (typeof fault === 'object' && 'code' in fault && !fault.done) return await s3Error(near, answer, fault);
    this.#passed.push({ call: callOf(near), url: near.url ?? '' });
    const limit = typeof fault === 'object' && 'cutAfter' in fault ? fault.cutAfter : Number.POSITIVE_INFINITY;
    const far = await this.#ask(near, answer, limit);
    if (outage !== undefined) outage.done += 1;
    if (fault === 'answer-lost') return void near.socket.resetAndDestroy();
    if (fault === 'answer-refused') return unavailable(near, answer);
    if (typeof fault === 'object' && 'code' in fault) {
      far.resume();
      if (fault.held === true) await outage?.ended;
      return await s3Error(near, answer, fault);
    }
    if (fault === 'answer-held') await outage?.ended;
    if (typeof fault === 'object' && 'delayedBy' in fault)
      await new Promise((resolve) => setTimeout(resolve, fault.delayedBy));
    answer.writeHead(far.statusCode as number, withoutConnection(far.rawHeaders));
    await pipeline(far, answer);
  }

  /** Host and headers go on as they came: they are signed. */
  async #ask(near: IncomingMessage, answer: ServerResponse, limit: number): Promise<IncomingMessage> {
    const { hostname, port } = this.#endpoint;
    const headers = withoutConnection(near.rawHeaders);
    const asked = request({ hostname, port, agent: this.#agent, method: near.method, path: near.url, headers });
    const answered = new Promise<IncomingMessage>((resolve, reject) => {
      asked.on('response', resolve);
      asked.on('error', reject);
    });
    // The store has to notice when a caller goes away in the middle.
    answer.on('close', () => !answer.writableFinished && asked.destroy());
    // A store that has answered has what it wanted, however its connection ends.
    const sent = pipeline(near, upTo(limit), asked);
    return await Promise.race([answered, sent.then(() => answered)]);
  }

  async close(): Promise<void> {
    for (const outage of this.#outages) outage.end();
    this.#server.closeAllConnections();
    this.#agent.destroy();
    await new Promise<void>((resolve) => this.#server.close(() => resolve()));
  }
}

const plain: Readonly<Record<string, S3Call>> = { PUT: 'PutObject', HEAD: 'HeadObject', DELETE: 'DeleteObject' };
/** With `?uploadId=`. */
const ofMultipart: Readonly<Record<string, S3Call>> = {
  PUT: 'UploadPart',
  GET: 'ListParts',
  POST: 'CompleteMultipartUpload',
  DELETE: 'AbortMultipartUpload',
};

function callOf({ method = '', url = '' }: IncomingMessage): S3Call {
  if (/[?&]uploadId=/.test(url)) return ofMultipart[method] ?? 'GetObject';
  if (/[?&]uploads(?:[=&]|$)/.test(url)) return method === 'POST' ? 'CreateMultipartUpload' : 'ListMultipartUploads';
  return plain[method] ?? (url.includes('list-type=2') ? 'ListObjectsV2' : 'GetObject');
}

async function s3Error(
  near: IncomingMessage,
  answer: ServerResponse,
  fault: { status: number; code: string },
): Promise<void> {
  near.resume();
  // A store that has looked at the request has read it. The connection would break on a body that is still coming.
  if (!near.complete) await once(near, 'end');
  answer.writeHead(fault.status, { 'content-type': 'application/xml' });
  answer.end(
    `<?xml version="1.0" encoding="UTF-8"?><Error><Code>${fault.code}</Code><Message>Planned.</Message></Error>`,
  );
}

function unavailable(near: IncomingMessage, answer: ServerResponse): void {
  near.resume();
  answer.writeHead(503, { 'content-type': 'application/xml' });
  answer.end('<Error><Code>ServiceUnavailable</Code><Message>Reduce your request rate.</Message></Error>');
}

function upTo(limit: number) {
  return async function* (pieces: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
    let passed = 0;
    for await (const piece of pieces) {
      if (passed + piece.length > limit) throw new Error(`Cut after ${limit} bytes`);
      passed += piece.length;
      yield piece;
    }
  };
}

/** `Connection` is about one connection, and there are two. */
function withoutConnection(raw: readonly string[]): string[] {
  const pairs = Array.from({ length: raw.length / 2 }, (_, n) => raw.slice(2 * n, 2 * n + 2));
  return pairs.filter(([name]) => name?.toLowerCase() !== 'connection').flat();
}
