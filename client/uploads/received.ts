import type { ReceivedBytes } from '../../activities/stores/postgres/uploads/read-transfer.ts';
import type { Refusal } from '../../workflows/operation/outcome.ts';

/** What has become of bytes that were sent, whatever the way. */
export type Received =
  /** The bytes are the upload's; `repeated` where they had been before. `sha256` is null where S3 alone has seen them. */
  | { readonly kind: 'received'; readonly size: number; readonly sha256: string | null; readonly repeated: boolean }
  /** Nothing was kept. The body may be unread. */
  | { readonly kind: 'refused'; readonly refusal: Refusal }
  /** The caller went away in the middle: nothing was kept, and nobody is left to be told. */
  | { readonly kind: 'cut' };

/** Of a way whose caller is still there to be told. */
export type Answered = Exclude<Received, { kind: 'cut' }>;

export function refused(refusal: Refusal): Answered {
  return { kind: 'refused', refusal };
}

export function received({ size, sha256 }: ReceivedBytes, repeated: boolean): Answered {
  return { kind: 'received', size, sha256, repeated };
}
