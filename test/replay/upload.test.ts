import { randomBytes } from 'node:crypto';
import { partLimits } from '../../workflows/operation/part-limits.ts';
import { sha256, type Announced, Uploader } from '../support/uploader.ts';
import { picture } from '../support/upload-lane.ts';
import { TusCaller } from '../uploads/tus-caller.ts';
import { replayStories, type Told } from './replay-stories.ts';

type Way = (uploader: Uploader, announced: Announced, bytes: Buffer) => Promise<unknown>;

/** An upload of a picture that is announced, and goes its way when its story sleeps. */
function told(way: Way, transfer: 'door' | 'presigned' = 'door', changes = {}): Told {
  return async (world, key, workflow) => {
    const uploader = await Uploader.of(world);
    const bytes = await picture();
    const declared = { type: 'image/png', transfer, sha256: sha256(bytes), ...changes };
    const announced = await uploader.announced(key, bytes, declared);
    await world.until('its story sleeps', async () => {
      // The door answers once the claim stands; Temporal may hear of it a moment later.
      const history = await workflow.fetchHistory().catch(() => undefined);
      return history?.events?.some(({ timerStartedEventAttributes: timer }) => Boolean(timer));
    });
    await way(uploader, announced, bytes);
    await uploader.close();
  };
}

/** It comes in two pieces, which are put together. */
const inPieces: Told = async (world, key) => {
  const uploader = await Uploader.of(world);
  const tus = new TusCaller(world);
  const bytes = randomBytes(partLimits.smallest + 10);
  const upload = await tus.created(key, bytes.length);
  await tus.patch(upload, 0, bytes.subarray(0, partLimits.smallest));
  await tus.patch(upload, partLimits.smallest, bytes.subarray(partLimits.smallest));
  await uploader.ended(upload.id);
  await uploader.close();
};

replayStories(
  'upload',
  {
    door: told((uploader, announced, bytes) => uploader.send(announced, bytes)),
    presigned: told(async (uploader, announced, bytes) => {
      await uploader.send(announced, bytes);
      await uploader.complete(announced.id);
    }, 'presigned'),
    /** Its bytes lie in the store at the deadline, and nobody has said so. */
    untold: told(async (uploader, announced, bytes) => {
      await uploader.send(announced, bytes);
      await uploader.expire(announced.id);
    }, 'presigned'),
    refused: told((uploader, announced, bytes) => uploader.send(announced, bytes), 'door', {
      type: 'application/pdf',
    }),
    expired: told((uploader, { id }) => uploader.expire(id)),
    pieces: inPieces,
    cancelled: told((uploader, { id }) => uploader.world.ask('POST', `/v1/operations/${id}/cancel`)),
  },
  { media: true },
);
