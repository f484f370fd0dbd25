import type { Answered, World } from '../support/world.ts';
import type { PiecesOf } from './tus-caller.ts';

type Headers = Readonly<Record<string, string>>;

/** A client of the IETF's resumable uploads, in one of its drafts, that does nothing by itself. */
export class ResumableCaller {
  readonly #world: World;
  readonly #version: number | undefined;

  /** @param version what it says of itself; by default nothing, as the RFC will have it */
  constructor(world: World, version?: number) {
    this.#world = world;
    this.#version = version;
  }

  completes(complete: boolean): Headers {
    return this.#version === 3
      ? { 'upload-incomplete': complete ? '?0' : '?1' }
      : { 'upload-complete': complete ? '?1' : '?0' };
  }

  async ask(method: string, path: string, headers: Headers, body?: Uint8Array, door = 0): Promise<Answered> {
    const version = this.#version === undefined ? {} : { 'upload-draft-interop-version': `${this.#version}` };
    return await this.#world.ask(method, path, {
      headers: { ...version, ...headers },
      door,
      ...(body === undefined ? {} : { body }),
    });
  }

  async create(key: string, headers: Headers, body?: Uint8Array, door = 0): Promise<Answered> {
    const named = { 'idempotency-key': key, 'content-disposition': `inline; filename="${key}.bin"` };
    const type = { 'content-type': 'application/octet-stream' };
    return await this.ask('POST', '/v1/resumable', { ...named, ...type, ...headers }, body, door);
  }

  async patch(
    { path }: PiecesOf,
    offset: number,
    bytes: Uint8Array,
    complete: boolean,
    headers: Headers = {},
    door = 0,
  ) {
    const type = { 'content-type': 'application/partial-upload' };
    const sent = { 'upload-offset': `${offset}`, ...this.completes(complete), ...type, ...headers };
    return await this.ask('PATCH', path, sent, bytes, door);
  }

  async head({ path }: PiecesOf, door = 0): Promise<Answered> {
    return await this.ask('HEAD', path, {}, undefined, door);
  }
}
