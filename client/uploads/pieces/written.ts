import type { Break } from './inflow.ts';

/** What became of a body that was written behind the acknowledged bytes. */
export type Written =
  | {
      readonly kind: 'ended';
      /** Bytes of the upload that are stored now. */
      readonly received: number;
      /** The object that holds all of them; undefined when they lie in pieces. */
      readonly objectKey: string | undefined;
      /** Of all bytes so far; null when somebody has to read them. */
      readonly sha256: string | null;
      readonly start: Buffer;
    }
  /** The sender stopped, or was given up on. */
  | { readonly kind: 'broken'; readonly why: Break }
  | { readonly kind: 'taken-over' }
  /** There are more bytes than the upload has. Those before them are kept. */
  | { readonly kind: 'too-long'; readonly received: number }
  | { readonly kind: 'digest-differs' }
  /** What was acknowledged is no longer in the store: somebody has removed it. */
  | { readonly kind: 'lost'; readonly received: number }
  /** The store did not take a piece. What was acknowledged before stays. */
  | { readonly kind: 'failed'; readonly error: unknown };
