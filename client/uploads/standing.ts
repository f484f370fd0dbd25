import type { OperationRecord } from '../../activities/stores/postgres/ledger/read-operation.ts';
import type { Transfer } from '../../activities/stores/postgres/uploads/read-transfer.ts';
import { announcement, isPartial } from './upload-parts.ts';

/** Where an upload stands. */
export type Standing = {
  /** Bytes from the first on that will not be lost. */
  readonly offset: number;
  /** null: not told yet. */
  readonly size: number | null;
  /** All bytes are there. */
  readonly complete: boolean;
  /** The partial uploads that it joins. */
  readonly joins?: readonly string[] | undefined;
};

export function standing(record: OperationRecord, transfer: Transfer): Standing {
  if (transfer.outcome === 'received') {
    const { size, joins } = transfer.bytes;
    return { offset: size, size, complete: true, joins };
  }
  const offset = transfer.session?.received ?? 0;
  const size = transfer.session?.size ?? announcement(record).size ?? null;
  return { offset, size, complete: isPartial(record) && offset === size };
}
