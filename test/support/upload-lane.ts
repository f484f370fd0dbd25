import { randomBytes } from 'node:crypto';
import { Readable } from 'node:stream';
import sharp from 'sharp';
import { expect } from 'vitest';
import type { ConnectedGateway } from '../../client/gateway/connect.ts';
import { Uploads } from '../../client/uploads/uploads.ts';
import { operationId, type Scope } from '../../workflows/operation/key.ts';
import { uploadFlow } from '../../workflows/upload.flow.ts';
import { readConfig } from '../../workers/config.ts';
import { mediaSettings, startMedia } from '../../workers/media.ts';
import { ownQueue } from './own-queue.ts';
import type { ProcessHandle } from './process-handle.ts';
import type { Uploader } from './uploader.ts';
import { whenLedgerIsThere } from './when-ledger-is-there.ts';
import { workerHere } from './worker-here.ts';

/** One upload of a picture on queues of its own, so that only the workers that a test starts there ever run it. */
export class UploadLane {
  readonly id: string;
  readonly bytes: Buffer;
  readonly #uploader: Uploader;
  readonly #scope: Scope;
  readonly #env: Record<string, string>;
  readonly #connected: ConnectedGateway;
  readonly #here: { stop(): Promise<void> }[] = [];

  private constructor(
    uploader: Uploader,
    scope: Scope,
    bytes: Buffer,
    env: Record<string, string>,
    connected: ConnectedGateway,
  ) {
    this.id = operationId(scope, 1);
    this.bytes = bytes;
    this.#uploader = uploader;
    this.#scope = scope;
    this.#env = env;
    this.#connected = connected;
  }

  /** @param env settings of the processes of this lane */
  static async open(uploader: Uploader, name: string, bytes: Buffer, env: Record<string, string> = {}) {
    const { scope, queue, connected } = await ownQueue(uploader.world, 'upload', name);
    return new UploadLane(uploader, scope, bytes, { ...env, HAPAX_TASK_QUEUE: queue }, connected);
  }

  /** Announces the picture and sends it. */
  async send(): Promise<void> {
    const { gateway, database } = this.#connected;
    const { bytes } = this;
    const request = { name: 'picture.png', size: bytes.length, type: 'image/png', destination: 'pictures' };
    const { world, store } = this.#uploader;
    const record = await whenLedgerIsThere(world, `${this.id} is announced`, async () => {
      await gateway.start(uploadFlow, { ...this.#scope, request });
      return (await gateway.status(this.#scope.tenant, this.id)) ?? expect.unreachable();
    });
    const uploads = new Uploads({ database, objects: store, gateway, log: console.error });
    // On a busy machine ledger or store may be away for a second, which the sender is told.
    await world.until(`${this.id} has its bytes`, async () => {
      const sent = await whenLedgerIsThere(world, `${this.id} is sent`, () =>
        uploads.receiveBytes(record, {
          stream: Readable.from([bytes]),
          contentLength: bytes.length,
          contentType: undefined,
        }),
      );
      return sent.kind === 'received';
    });
  }

  async cancel(): Promise<string> {
    const { gateway } = this.#connected;
    return await gateway.cancel((await gateway.status(this.#scope.tenant, this.id)) ?? expect.unreachable());
  }

  /** A worker process that is killed where it reaches a boundary. */
  async faulty(kind: 'upload' | 'media', ...boundary: readonly string[]): Promise<ProcessHandle> {
    return await this.#uploader.world.start(`test/support/faulty-${kind}-worker.ts`, this.#env, boundary);
  }

  /** A healthy operations worker, in the process of the test. */
  async healthy(): Promise<void> {
    this.#here.push(await workerHere({ ...this.#uploader.world.env, ...this.#env }));
  }

  /** A healthy media worker, in the process of the test, in which an operations worker has been started before. */
  async media(): Promise<void> {
    this.#here.push(await startMedia(readConfig(mediaSettings, { ...this.#uploader.world.env, ...this.#env })));
  }

  /** Waits until the picture has its place and only its thumbnails are missing. */
  async placed(): Promise<void> {
    const { world } = this.#uploader;
    const tidied = `select from hapax.step where operation_id = $1 and name = 'tidy' and state in ('sent', 'done')`;
    await world.until(`${this.id} is placed`, async () => (await world.sql(tidied, this.id)).length > 0);
  }

  async close(): Promise<void> {
    await Promise.all(this.#here.map((worker) => worker.stop()));
    await this.#connected.close();
  }
}

/** Noise, so that no two are alike. */
export async function picture(): Promise<Buffer> {
  const [width, height, channels] = [40, 30, 3] as const;
  return await sharp(randomBytes(width * height * channels), { raw: { width, height, channels } })
    .png()
    .toBuffer();
}
