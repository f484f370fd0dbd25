import type { ReceivedBytes } from '../../activities/stores/postgres/uploads/read-transfer.ts';
import type { Refusal } from '../../workflows/operation/outcome.ts';

/** What became of bytes that were sent, by either way. */
export type Received =
  /** The bytes are the upload's; `repeated` if they already were. `sha256` is null when only S3 has seen the bytes. */
  | { readonly kind: 'received'; readonly size: number; readonly sha256: string | null; readonly repeated: boolean }
  /** Nothing was kept. The body may be unread. */
  | { readonly kind: 'refused'; readonly refusal: Refusal }
  /** The caller disconnected in the middle. Nothing was kept, and there is nobody left to answer. */
  | { readonly kind: 'cut' };

/** The result for a caller that is still connected. */
export type Answered = Exclude<Received, { kind: 'cut' }>;

export function refused(refusal: Refusal): Answered {
  return { kind: 'refused', refusal };
}

export function received({ size, sha256 }: ReceivedBytes, repeated: boolean): Answered {
  return { kind: 'received', size, sha256, repeated };
}
