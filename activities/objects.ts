import { adoptWhereLost, type Tidied } from './adopt-where-lost.ts';
import type { AwaitedStep } from './engine/await-step.ts';
import { removeObjects } from './remove-objects.ts';
import type { OutsideStep } from './engine/outside-step.ts';
import { Refused } from './stores/outcomes/refused.ts';
import type { Database } from './stores/postgres/database.ts';
import { type ReceivedBytes, readTransfer, transferOf } from './stores/postgres/uploads/read-transfer.ts';
import { headObject } from './stores/s3/head-object.ts';
import type { ObjectStore } from './stores/s3/object-store.ts';
import { presignedBytes } from './stores/s3/presigned-bytes.ts';
import { hashObject, readStart } from './stores/s3/read-object.ts';
import { sniffLength, sniffType } from './file-type/sniff-type.ts';
import { joinedKey } from './stores/s3/upload-keys.ts';
import { judgeType, type TypeEvidence } from './file-type/judge-type.ts';

type ObjectSteps = {
  verify: {
    input: {
      readonly received: ReceivedBytes;
      readonly size: number;
      readonly type: string;
      readonly sha256?: string | undefined;
      /** Whether the bytes have to show their type. */
      readonly strict?: boolean | undefined;
    };
    result: Verified;
  };
};

/** `shown` is the type that the first bytes show, or '' if they show none. */
type Verified = { readonly sha256: string; readonly shown: string; readonly evidence?: TypeEvidence };

type VerifyInput = ObjectSteps['verify']['input'];

/** The steps for the bytes of an upload: wait for them, read them once, and remove what nobody refers to. */
export function objectSteps(database: Database, store: ObjectStore) {
  const receive: AwaitedStep<ReceivedBytes> = {
    // Finds a presigned PUT whose caller never came back to report it, and pieces that are all there though the process
    // that stored the last one died before it could say so.
    adopt: async ({ operation, tenant }) =>
      (await presignedBytes(store, operation)) ?? (await piecesOf(database, tenant, operation)),
    async undo(_request, _result, about) {
      await removeObjects(database, store, about);
    },
  };

  const verify: OutsideStep<VerifyInput, VerifyInput, Verified> = {
    request: (input) => input,
    async send({ received, size, type, sha256: declared, strict = false }, { signal }) {
      const { objectKey } = received;
      const facts = await headObject(store, objectKey);
      if (facts === undefined)
        throw new Refused({ code: 'bytes-missing', detail: 'The bytes were removed from the object store.' });
      if (facts.size !== size || received.size !== size)
        throw new Refused({
          code: 'size-mismatch',
          detail: `${size} bytes were declared and ${facts.size} have arrived.`,
          more: { field: 'size', declared: size, actual: facts.size },
        });
      const sha256 = received.sha256 ?? (await hashObject(store, objectKey, signal));
      if (declared !== undefined && declared !== sha256)
        throw new Refused({
          code: 'digest-mismatch',
          detail: `The SHA-256 of what has arrived is ${sha256}, not the declared ${declared}.`,
          more: { field: 'sha256', declared, actual: sha256 },
        });
      const look = async () => await sniffType(await readStart(store, objectKey, size, sniffLength));
      let shown = received.sniffedType ?? (await look());
      // A former build of the HTTP API may have looked, which took words for a signature.
      if (received.sniffedType !== null && judgeType(type, shown).verdict === 'contradicted') shown = await look();
      const evidence = judgeType(type, shown);
      const { verdict } = evidence;
      if (verdict === 'contradicted' || (strict && verdict === 'unproven'))
        throw new Refused({
          code: 'type-mismatch',
          detail: mismatch(evidence),
          more: { field: 'type', declared: type, actual: shown === '' ? null : shown },
        });
      return { sha256, shown, evidence };
    },
  };

  const tidy: OutsideStep<Tidied, Tidied, { readonly removed: number; readonly objectKey?: string }> = {
    request: (input) => input,
    async send(input, about) {
      const adopted = await adoptWhereLost(database, store, about.tenant, input);
      const { objects: removed } = await removeObjects(database, store, about);
      return { removed, ...(adopted === undefined ? {} : { objectKey: adopted }) };
    },
  };

  return { receive, verify, tidy };
}

function mismatch({ declared, shown, verdict }: TypeEvidence): string {
  if (verdict === 'contradicted') return `${declared} was declared, and the content is ${shown}.`;
  return `${declared} was declared, and its first bytes do not prove it, which is asked for here.`;
}

/** @returns undefined when the upload's bytes did not come in pieces, or not all of them have come */
async function piecesOf(database: Database, tenant: string, operation: string): Promise<ReceivedBytes | undefined> {
  const [rows] = await database.flush(tenant, readTransfer(operation));
  const { session, partial } = transferOf(rows);
  if (session === undefined || partial || session.received !== session.size) return undefined;
  const bytes = { method: 'tus', size: session.received, sha256: null, sniffedType: null } as const;
  return { ...bytes, objectKey: joinedKey(operation), inPieces: true, crc64nvme: session.crc64nvme };
}
