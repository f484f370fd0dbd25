import { once } from 'node:events';
import { type IncomingMessage, request } from 'node:http';
import type { Answered, World } from '../support/world.ts';

export type PiecesOf = { readonly id: string; readonly path: string };
type Headers = Readonly<Record<string, string>>;

const base64 = (text: string): string => Buffer.from(text).toString('base64');

/** A client of tus 1.0 that does nothing by itself. */
export class TusCaller {
  readonly #world: World;
  readonly #token: string;

  constructor(world: World, token = 'local-alpha') {
    this.#world = world;
    this.#token = token;
  }

  async ask(method: string, path: string, headers: Headers, body?: Uint8Array, door = 0): Promise<Answered> {
    const tus = method === 'OPTIONS' || headers['tus-resumable'] !== undefined ? {} : { 'tus-resumable': '1.0.0' };
    return await this.#world.ask(method, path, {
      headers: {
        ...tus,
        ...(body === undefined ? {} : { 'content-type': 'application/offset+octet-stream' }),
        ...headers,
      },
      token: this.#token,
      door,
      ...(body === undefined ? {} : { body }),
    });
  }

  async create(key: string | undefined, headers: Headers = {}, body?: Uint8Array, door = 0): Promise<Answered> {
    const named =
      key === undefined ? {} : { 'idempotency-key': key, 'upload-metadata': `filename ${base64(`${key}.bin`)}` };
    return await this.ask('POST', '/v1/tus', { ...named, ...headers }, body, door);
  }

  async created(key: string | undefined, size: number, headers: Headers = {}): Promise<PiecesOf> {
    const answer = await this.create(key, { 'upload-length': `${size}`, ...headers });
    if (answer.status !== 201) throw new Error(`Not created: ${answer.status} ${answer.text}`);
    return TusCaller.uploadOf(answer);
  }

  static uploadOf({ headers }: Answered): PiecesOf {
    const path = new URL(headers.get('location') ?? '').pathname;
    return { path, id: path.split('/').at(-1) ?? '' };
  }

  async patch(
    { path }: PiecesOf,
    offset: number,
    bytes: Uint8Array,
    headers: Headers = {},
    door = 0,
  ): Promise<Answered> {
    return await this.ask('PATCH', path, { 'upload-offset': `${offset}`, ...headers }, bytes, door);
  }

  /** Sends the first bytes of a body, and no more before the test says so. */
  begun({ path }: PiecesOf, first: Uint8Array, length: number, more: Headers = {}) {
    const headers = {
      authorization: `Bearer ${this.#token}`,
      'tus-resumable': '1.0.0',
      'content-type': 'application/offset+octet-stream',
      'content-length': length,
      'upload-offset': 0,
      ...more,
    };
    const sending = request(new URL(path, this.#world.doors[0]?.address), {
      method: 'PATCH',
      headers,
      agent: false,
    });
    sending.write(first);
    return {
      rest: (last: Uint8Array) => void sending.write(last),
      /** The status. */
      answered: once(sending, 'response').then(([answer]) => {
        sending.destroy();
        return (answer as IncomingMessage).statusCode;
      }),
    };
  }

  async head({ path }: PiecesOf, headers: Headers = {}, door = 0): Promise<Answered> {
    return await this.ask('HEAD', path, headers, undefined, door);
  }

  async delete({ path }: PiecesOf, headers: Headers = {}, door = 0): Promise<Answered> {
    return await this.ask('DELETE', path, headers, undefined, door);
  }
}
