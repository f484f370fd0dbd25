import { createHash, randomUUID } from 'node:crypto';
import { writeFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { Client, Connection } from '@temporalio/client';
import { bundleWorkflowCode, DefaultLogger } from '@temporalio/worker';
import pg from 'pg';
import { type ObjectStore, openObjectStore } from '../../../activities/stores/s3/object-store.ts';
import { putOnce } from '../../../activities/stores/s3/put-once.ts';
import { eachAtOnce } from '../../support/each-at-once.ts';
import { startPartner } from '../stack/conversation.ts';
import type { Servers } from '../stack/servers.ts';
import { arrived, plainUpload } from './plain-upload.ts';
import type { PlainSettings } from './plain-upload-worker.ts';

type PlainUploads = {
  /** @returns uploads that are settled in a second, from the first start to the last announcement */
  readonly settle: (bodies: readonly Buffer[], atOnce: number, arePictures: boolean) => Promise<number>;
  readonly stop: () => Promise<void>;
};

/** Small uploads on Temporal alone, at the same servers: a start, a PUT into S3 and a signal each. */
export async function startPlainUploads(
  { root, postgres, temporal }: Servers,
  settings: PlainSettings['store'],
): Promise<PlainUploads> {
  const bundle = `${root}/plain-upload.js`;
  const workflowsPath = fileURLToPath(new URL('./plain-upload.ts', import.meta.url));
  const { code } = await bundleWorkflowCode({ workflowsPath, logger: new DefaultLogger('WARN') });
  await writeFile(bundle, code);
  const database = new pg.Client({ connectionString: postgres.url });
  await database.connect();
  await database.query(`create schema if not exists plain; create table if not exists plain.upload (
    id text primary key, name text not null, object_key text not null, size bigint not null, sha256 text not null,
    announced_at timestamptz)`);
  const taskQueue = 'bench-plain-uploads';
  const worker = await startPartner(fileURLToPath(new URL('./plain-upload-worker.ts', import.meta.url)), {
    ...{ databaseUrl: postgres.url, temporalAddress: temporal.address, taskQueue, bundle },
    store: settings,
  } satisfies PlainSettings);
  const connection = await Connection.connect({ address: temporal.address });
  const { workflow } = new Client({ connection });
  const store: ObjectStore = openObjectStore(settings);
  let settled = (await database.query('select from plain.upload')).rowCount ?? 0;

  const one = async (body: Buffer, isPicture: boolean): Promise<void> => {
    const name = randomUUID();
    const begun = await workflow.start(plainUpload, {
      workflowId: `plain-${name}`,
      taskQueue,
      args: [name, isPicture],
    });
    const objectKey = `plain/${name}/bytes`;
    await putOnce(store, objectKey, body, { type: 'application/octet-stream', metadata: {} });
    const sha256 = createHash('sha256').update(body).digest('hex');
    await begun.signal(arrived, { objectKey, size: body.length, sha256 });
  };

  return {
    async settle(bodies, atOnce, arePictures) {
      const begun = performance.now();
      await eachAtOnce(atOnce, bodies, async (body) => await one(body, arePictures));
      settled += bodies.length;
      for (;;) {
        const { rows } = await database.query<{ done: number }>(
          'select count(*)::int as done from plain.upload where announced_at is not null',
        );
        if ((rows[0]?.done ?? 0) >= settled) break;
        await new Promise((resolve) => setTimeout(resolve, 100));
      }
      return (bodies.length * 1_000) / (performance.now() - begun);
    },
    async stop() {
      await worker.stop();
      await connection.close();
      await database.end();
      store.close();
    },
  };
}
