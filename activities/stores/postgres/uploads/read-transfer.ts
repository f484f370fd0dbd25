import type { OperationState } from '../../../../workflows/operation/state.ts';
import type { Row, Statement } from '../database.ts';
import type { SavedHash } from './sessions/take-session.ts';

/** The bytes that count for an upload: the evidence that its step `receive` waits for. */
export type ReceivedBytes = {
  readonly method: TransferMethod;
  readonly objectKey: string;
  readonly size: number;
  /** Lower-case hex; null if nobody has proven it yet. */
  readonly sha256: string | null;
  /** The type that the first bytes show, or '' if they show none; null if nobody has looked yet. */
  readonly sniffedType: string | null;
  /** They lie in pieces, and become the object once they are put together. */
  readonly inPieces?: boolean | undefined;
  /** Partial uploads that it joins, in their order. */
  readonly joins?: readonly string[] | undefined;
  /** What its sender says of the whole, in base64; the object store compares it. */
  readonly crc64nvme?: string | undefined;
};

/** How bytes come. */
export type TransferMethod = 'door' | 'presigned' | 'multipart' | 'tus' | 'resumable' | 's3';

/** What has come of an upload whose bytes come in pieces. */
export type SessionFacts = {
  /** Bytes from the first on that will not be lost. */
  readonly received: number;
  /** null: not told yet. */
  readonly size: number | null;
  readonly start: Buffer;
  readonly hash: SavedHash | null;
  /** What the sender of parts says of the whole, in base64. */
  readonly crc64nvme: string | undefined;
};

export type Transfer = {
  readonly state: OperationState;
  readonly cancelRequested: boolean;
  readonly due: boolean;
  /** It is a piece of a file that other uploads join. */
  readonly partial: boolean;
  /** undefined: no piece has come. */
  readonly session: SessionFacts | undefined;
} & (
  | { readonly outcome: 'open' }
  | { readonly outcome: 'closed' }
  | { readonly outcome: 'received'; readonly bytes: ReceivedBytes }
);

const text = `
select o.state, o.cancel_requested_at is not null as cancelled, coalesce(o.deadline <= now(), false) as due,
  coalesce((o.request ->> 'partial')::boolean, false) as partial, a.outcome, a.evidence, s.received, s.size, s.start, s.hash, s.hash_tag, s.crc64nvme
from operation o left join awaited a on a.operation_id = o.id and a.step = 'receive'
  left join upload_session s on s.operation_id = o.id
where o.id = $1`;

export function readTransfer(operation: string): Statement {
  return { name: 'read_transfer_session_whole', text, values: [operation] };
}

export function transferOf(rows: readonly Row[] | undefined): Transfer {
  const row = rows?.[0];
  if (row === undefined) throw new Error('The upload has no row in the ledger');
  const about = {
    state: row.state as OperationState,
    cancelRequested: row.cancelled as boolean,
    due: row.due as boolean,
    partial: row.partial as boolean,
    session: sessionOf(row),
  };
  switch (row.outcome as 'arrived' | 'closed' | null) {
    case null:
      return { ...about, outcome: 'open' };
    case 'closed':
      return { ...about, outcome: 'closed' };
    case 'arrived':
      return { ...about, outcome: 'received', bytes: row.evidence as ReceivedBytes };
  }
}

function sessionOf({ received, size, start, hash, hash_tag: tag, crc64nvme }: Row): SessionFacts | undefined {
  if (received === null) return undefined;
  return {
    received: Number(received),
    size: size === null ? null : Number(size),
    start: start as Buffer,
    hash: hash === null ? null : { state: hash as Buffer, tag: tag as string },
    crc64nvme: (crc64nvme ?? undefined) as string | undefined,
  };
}
