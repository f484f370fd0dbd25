import type { Answered, World } from '../support/world.ts';
import { ResumableCaller } from './resumable-caller.ts';
import { TusCaller } from './tus-caller.ts';

/** An upload that has been created, in the words of one way in. */
export type Begun = { readonly id: string; readonly path: string };

type Told = { readonly status: number; readonly offset: number | undefined };

/** One way in for bytes that come in pieces, as the contract sees it. */
export type Way = {
  readonly name: string;
  /** @param size undefined: it is told later */
  readonly create: (key: string, size: number | undefined, changes?: Changes, door?: number) => Promise<Answered>;
  readonly send: (upload: Begun, sent: Sent, door?: number) => Promise<Answered>;
  readonly look: (upload: Begun, door?: number) => Promise<Told>;
  readonly end: (upload: Begun) => Promise<Answered>;
};

type Changes = {
  readonly name?: string;
  readonly type?: string;
  readonly destination?: string;
  readonly token?: string;
};

type Sent = {
  readonly offset: number;
  readonly bytes: Uint8Array;
  /** Of the whole upload. */
  readonly size: number;
  readonly digest?: string;
};

export function begunBy({ headers }: Answered): Begun {
  const path = new URL(headers.get('location') ?? '', 'http://none').pathname;
  return { path, id: path.split('/').at(-1) ?? '' };
}

const base64 = (text: string): string => Buffer.from(text).toString('base64');

function told({ status, headers }: Answered): Told {
  const offset = headers.get('upload-offset');
  return { status, offset: offset === null ? undefined : Number(offset) };
}

export function tusWay(world: World): Way {
  const tus = new TusCaller(world);
  return {
    name: 'tus',
    create: async (
      key,
      size,
      { name = `${key}.bin`, type = 'application/octet-stream', destination = 'inbox', token } = {},
      door = 0,
    ) => {
      const pairs = Object.entries({ filename: name, filetype: type, destination });
      const length = size === undefined ? { 'upload-defer-length': '1' } : { 'upload-length': `${size}` };
      const metadata = pairs.map(([field, value]) => `${field} ${base64(value)}`).join(',');
      const caller = token === undefined ? tus : new TusCaller(world, token);
      return await caller.create(key, { ...length, 'upload-metadata': metadata }, undefined, door);
    },
    send: async (upload, { offset, bytes, size, digest }, door = 0) =>
      await tus.patch(
        upload,
        offset,
        bytes,
        {
          ...(offset + bytes.length === size ? { 'upload-length': `${size}` } : {}),
          ...(digest === undefined ? {} : { 'upload-checksum': `sha256 ${digest}` }),
        },
        door,
      ),
    look: async (upload, door = 0) => told(await tus.head(upload, {}, door)),
    end: async (upload) => await tus.delete(upload),
  };
}

export function resumableWay(world: World, version?: number): Way {
  const caller = new ResumableCaller(world, version);
  return {
    name: `resumable, ${version === undefined ? 'without a version' : `version ${version}`}`,
    create: async (
      key,
      size,
      { name = `${key}.bin`, type = 'application/octet-stream', destination = 'inbox', token } = {},
      door = 0,
    ) =>
      await world.ask('POST', `/v1/resumable?destination=${encodeURIComponent(destination)}`, {
        key,
        door,
        ...(token === undefined ? {} : { token }),
        headers: {
          ...(version === undefined ? {} : { 'upload-draft-interop-version': `${version}` }),
          ...caller.completes(false),
          ...(size === undefined ? {} : { 'upload-length': `${size}` }),
          'content-type': type,
          'content-disposition': `inline; filename*=UTF-8''${encodeURIComponent(name)}`,
        },
      }),
    send: async (upload, { offset, bytes, size, digest }, door = 0) =>
      await caller.patch(
        upload,
        offset,
        bytes,
        offset + bytes.length === size,
        digest === undefined ? {} : { 'content-digest': `sha-256=:${digest}:` },
        door,
      ),
    look: async (upload, door = 0) => told(await caller.head(upload, door)),
    end: async ({ path }) => await caller.ask('DELETE', path, {}),
  };
}
