import { createHash } from 'node:crypto';
import type { Readable } from 'node:stream';
import type { Database } from '../../activities/stores/postgres/database.ts';
import { listObjects } from '../../activities/stores/s3/list-objects.ts';
import type { ObjectStore } from '../../activities/stores/s3/object-store.ts';
import { openObject } from '../../activities/stores/s3/read-object.ts';
import { thumbnailPrefix, uploadPrefix } from '../../activities/stores/s3/upload-keys.ts';
import { type ConnectedGateway, connectGateway } from '../../client/gateway/connect.ts';
import type { Gateway } from '../../client/gateway.ts';
import { readConfig } from '../../workers/config.ts';
import { connectS3, s3Settings } from '../../workers/connect-s3.ts';
import { testSeals } from './seal-keys.ts';
import type { Answered, Ask, World } from './world.ts';

export type Announced = {
  readonly id: string;
  readonly state: string;
  readonly transfer: {
    readonly method: string;
    readonly url: string;
    readonly headers: Record<string, string>;
    readonly complete?: { readonly method: string; readonly url: string };
  };
  readonly expiresAt: string;
};

export const sha256 = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex');

/** A caller that uploads over HTTP, and a look into the bucket and the ledger from outside. */
export class Uploader {
  readonly world: World;
  readonly store: ObjectStore;
  readonly #gateway: ConnectedGateway;

  private constructor(world: World, store: ObjectStore, gateway: ConnectedGateway) {
    this.world = world;
    this.store = store;
    this.#gateway = gateway;
  }

  get gateway(): Gateway {
    return this.#gateway.gateway;
  }

  get database(): Database {
    return this.#gateway.database;
  }

  static async of(world: World): Promise<Uploader> {
    const { DATABASE_URL = '', TEMPORAL_ADDRESS = '', HAPAX_TASK_QUEUE = '' } = world.env;
    const gateway = await connectGateway({
      databaseUrl: DATABASE_URL,
      temporalAddress: TEMPORAL_ADDRESS,
      taskQueue: HAPAX_TASK_QUEUE,
      seals: testSeals,
    });
    return new Uploader(world, connectS3(readConfig(s3Settings, world.env)), gateway);
  }

  /** Announces bytes as an upload; `changes` are on top of what is true of them. */
  async announce(key: string, bytes: Uint8Array, changes: object = {}, ask: Ask = {}): Promise<Answered> {
    const body = { name: `${key}.bin`, size: bytes.length, type: 'application/octet-stream', destination: 'inbox' };
    return await this.world.ask('POST', '/v1/uploads', { key, body: { ...body, ...changes }, ...ask });
  }

  async announced(key: string, bytes: Uint8Array, changes: object = {}, ask: Ask = {}): Promise<Announced> {
    // A crowd, or a caller of a busy ledger, is asked to come again with the same key.
    const answer = await this.world.until(`${key} is announced`, async () => {
      const told = await this.announce(key, bytes, changes, ask);
      return told.status !== 503 && told;
    });
    if (answer.status !== 201) throw new Error(`Not announced: ${answer.status} ${answer.text}`);
    return answer.json as Announced;
  }

  async send({ transfer }: Announced, bytes: Uint8Array, ask: Ask = {}): Promise<Answered> {
    const own = transfer.url.includes('/v1/uploads/');
    const token = own ? (ask.token ?? 'local-alpha') : null;
    return await this.world.ask(transfer.method, transfer.url, {
      body: bytes,
      token,
      headers: { ...transfer.headers, ...ask.headers },
    });
  }

  async complete(id: string, ask: Ask = {}): Promise<Answered> {
    return await this.world.ask('POST', `/v1/uploads/${id}/complete`, ask);
  }

  /** Waits for the end. @returns the operation as the door shows it */
  async settled(id: string, ask: Ask = {}): Promise<Answered> {
    await this.ended(id);
    return await this.world.ask('GET', `/v1/operations/${id}`, ask);
  }

  async ended(id: string): Promise<void> {
    const ends = ['succeeded', 'refused', 'compensated', 'compensation_incomplete', 'cancelled', 'expired'];
    await this.world.until(`${id} settles`, async () => ends.includes(await this.world.state(id)), 50_000);
  }

  /** Announces, sends and waits. */
  async upload(key: string, bytes: Uint8Array, changes: object = {}, ask: Ask = {}): Promise<Answered> {
    const announced = await this.announced(key, bytes, changes, ask);
    const sent = await this.send(announced, bytes, ask);
    if (sent.status !== 200) throw new Error(`Not sent: ${sent.status} ${sent.text}`);
    if (!announced.transfer.url.includes('/v1/uploads/')) await this.complete(announced.id, ask);
    return await this.settled(announced.id, ask);
  }

  /** The deadline passes now, by the ledger's clock, and the story hears of it. */
  async expire(id: string): Promise<void> {
    await this.world.sql(`update hapax.operation set deadline = now() where id = $1`, id);
    await this.wake(id);
  }

  async wake(id: string): Promise<void> {
    const record = await this.#gateway.gateway.status(this.world.tenants.alpha, id);
    if (record === undefined) throw new Error(`No operation ${id}`);
    await this.#gateway.gateway.signal(record, 'wake');
  }

  /** What S3 holds of an upload's bytes. */
  async objects(id: string): Promise<readonly string[]> {
    return (await listObjects(this.store, uploadPrefix(id))).map(({ key }) => key);
  }

  async thumbnails(content: string): Promise<readonly string[]> {
    return (await listObjects(this.store, thumbnailPrefix(content))).map(({ key }) => key);
  }

  async bytes(key: string): Promise<Buffer> {
    const pieces: Uint8Array[] = [];
    const stream: Readable = await openObject(this.store, key);
    for await (const piece of stream) pieces.push(piece as Uint8Array);
    return Buffer.concat(pieces);
  }

  /** The contents and assets that stand in the ledger for these operations. */
  async rows(...ids: string[]): Promise<{ content: string[]; assets: number }> {
    const assets = await this.world.sql('select content_id from hapax.asset where operation_id = any($1)', ids);
    const contents = await this.world.sql<{ id: string }>(
      `select id from hapax.content where state = 'live' and (id = any($1) or id in (select content_id from hapax.asset where operation_id = any($2)))
       order by id`,
      ids.map((id) => id.replace('op_', 'cnt_')),
      ids,
    );
    return { content: contents.map(({ id }) => id), assets: assets.length };
  }

  async close(): Promise<void> {
    await this.#gateway.close();
    this.store.close();
  }
}
