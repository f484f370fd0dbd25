import type { OutsideStep } from './engine/outside-step.ts';
import { Refused } from './stores/outcomes/refused.ts';
import type { Database } from './stores/postgres/database.ts';
import { readStretches, type Stretch } from './stores/postgres/uploads/sessions/read-pieces.ts';
import { completeMultipart, PartsGone, WholeDiffers } from './stores/s3/multipart/complete-multipart.ts';
import { joinObjects } from './stores/s3/multipart/join-objects.ts';
import { objectMissing } from './stores/s3/object-missing.ts';
import type { ObjectStore } from './stores/s3/object-store.ts';
import { joinedKey } from './stores/s3/upload-keys.ts';

type Assembled = { readonly objectKey: string };
type Input = {
  readonly size: number;
  readonly type: string;
  /** Partial uploads whose bytes these are, in their order; by default the upload's own. */
  readonly joins?: readonly string[] | undefined;
  /** The CRC64NVME of the whole in base64, where its sender has told it. */
  readonly crc64nvme?: string | undefined;
};

/** Makes one object of the pieces that an upload came in. */
export function assembleStep(database: Database, store: ObjectStore): OutsideStep<Input, Input, Assembled> {
  return {
    request: (input) => input,
    async send({ size, type, joins, crc64nvme }, { operation, tenant }) {
      const stretches: Stretch[] = [];
      for (const upload of joins ?? [operation]) stretches.push(...(await readStretches(database, tenant, upload)));
      if (stretches.reduce((sum, stretch) => sum + stretch.size, 0) !== size)
        throw new Refused({
          code: 'bytes-missing',
          detail: 'Not all pieces are there any more.',
          more: { cause: 'assembly' },
        });
      try {
        for (const stretch of stretches) await completeStretch(store, stretch, crc64nvme);
        const [only] = stretches;
        // A partial upload's object stays its own: another upload may join it too.
        if (only !== undefined && stretches.length === 1 && joins === undefined) return { objectKey: only.objectKey };
        const objectKey = joinedKey(operation);
        await joinObjects(store, stretches, { objectKey, size, type, operation });
        return { objectKey };
      } catch (error) {
        if (error instanceof WholeDiffers)
          throw new Refused({
            code: 'digest-mismatch',
            detail: 'The parts together do not have the CRC64NVME that was told.',
            more: { algorithm: 'crc64nvme' },
          });
        if (error instanceof PartsGone || objectMissing(error))
          throw new Refused({
            code: 'bytes-missing',
            detail: 'Pieces were removed from the object store.',
            more: { cause: 'assembly' },
          });
        throw error;
      }
    },
  };
}

/** The parts of a multipart upload become an object. Small objects are objects already. */
async function completeStretch(store: ObjectStore, stretch: Stretch, crc64nvme: string | undefined): Promise<void> {
  if (stretch.kind === 'object') return;
  await completeMultipart(store, { ...stretch, crc64nvme });
}
