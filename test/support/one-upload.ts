import { expect } from 'vitest';
import { putOnce } from '../../activities/stores/s3/put-once.ts';
import { uploadPrefix } from '../../activities/stores/s3/upload-keys.ts';
import { sha256, type Uploader } from './uploader.ts';

/**
 * An upload has succeeded, and all that is left of it, seen from outside, is there once.
 * @param holder the upload whose object it refers to
 */
export async function placedOnce(
  uploader: Uploader,
  id: string,
  bytes: Uint8Array,
  { holder = id, thumbnails = 0 } = {},
): Promise<void> {
  const { world } = uploader;
  expect(await world.state(id)).toBe('succeeded');
  const [key = '', ...more] = await uploader.objects(holder);
  expect([sha256(await uploader.bytes(key)), more]).toEqual([sha256(bytes), []]);
  const { content, assets } = await uploader.rows(id);
  expect([content.length, assets]).toEqual([1, 1]);
  expect(await uploader.thumbnails(content[0] ?? '')).toHaveLength(thumbnails);
  expect(await world.sql('select type from hapax.outbox where operation_id = $1 order by type', id)).toEqual([
    { type: 'asset.ready' },
    { type: 'upload.used' },
  ]);
  // The answer's body is the only stored result.
  const [row] = await world.sql<{ result: { thumbnails: unknown[]; failures: unknown[] } }>(
    `select convert_from(answer_body, 'utf8')::jsonb as result from hapax.operation where id = $1 and result is null`,
    id,
  );
  expect(row?.result.failures).toEqual([]);
  expect(row?.result.thumbnails).toHaveLength(thumbnails);
}

/** Nothing of an upload is left: no row that counts, no object. */
export async function nothingLeft(uploader: Uploader, id: string): Promise<void> {
  expect(await uploader.objects(id)).toEqual([]);
  expect(await uploader.thumbnails(id.replace('op_', 'cnt_'))).toEqual([]);
  expect(await uploader.rows(id)).toEqual({ content: [], assets: 0 });
  expect(await uploader.world.sql('select from hapax.outbox where operation_id = $1', id)).toEqual([]);
}

/**
 * Waits until its story has looked for bytes and found none: from then on it sleeps until it is told. Its state says `waiting`
 * from the claim on; the row of the step comes with the look.
 */
export async function waitsForBytes({ world }: Uploader, id: string): Promise<void> {
  const looked = `select from hapax.step where operation_id = $1 and name = 'receive'`;
  await world.until(`${id} waits for its bytes`, async () => (await world.sql(looked, id)).length > 0);
}

/** What a door leaves that dies before it can write its row. */
export async function leaveStray({ store }: Uploader, id: string): Promise<void> {
  const about = { type: 'application/octet-stream', metadata: { operation: id } };
  await putOnce(store, `${uploadPrefix(id)}left-by-a-dead-door`, Buffer.from('stray'), about);
}
