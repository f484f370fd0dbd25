import { seconds } from './duration.ts';

/**
 * What S3 takes in parts ("Amazon S3 multipart upload limits", user guide). R2 and others want all parts but the last of
 * one size, which holds for presigned parts.
 */
export const partLimits = {
  /** Each part but the last. Bytes. */
  smallest: 5 * 1024 ** 2,
  /** Bytes. */
  largest: 5 * 1024 ** 3,
  /** Numbers from 1 on. */
  most: 10_000,
} as const;

/** The largest upload. S3 has taken objects of 5 TiB since 2010, and most other stores do. Bytes. */
export const largestUpload = 5 * 1024 ** 4;

/** What lies between two acknowledgements is sent again after a fault. Ten seconds of a transfer are not missed. */
export const pieceTime = seconds(10);
/** Smaller pieces cost more calls than they save. Bytes. */
const smallestPiece = 256 * 1024;
/** With larger ones a fast sender gains nothing (measured: 16 MiB and 64 MiB parts take the same time). Bytes. */
const largestPiece = 16 * 1024 ** 2;
/** Numbers that a plan leaves for parts which were broken off. */
const spareParts = 2_000;

/** @returns the size from which on bytes may stand in a part of their own, so that all of an upload finds numbers. Bytes. */
export function smallestPart(size: number): number {
  return Math.max(partLimits.smallest, Math.ceil(size / (partLimits.most - spareParts)));
}

/**
 * @param rate of the sender, in bytes a millisecond
 * @param size of the whole upload, as far as it is known
 * @returns how many bytes are acknowledged at a time
 */
export function pieceLength(rate: number, size: number): number {
  const largest = Math.max(largestPiece, 2 * smallestPart(size));
  return Math.round(Math.min(largest, Math.max(smallestPiece, rate * pieceTime)));
}

/** Parts that callers send are multiples of this. Bytes. */
const unit = 1024 ** 2;
/** A part that fails is sent again as a whole, so that small parts serve bad networks; large ones save requests. Bytes. */
const usualPart = 8 * unit;

/**
 * @param size of the whole upload; undefined when it is told later
 * @returns the size of all parts but the last that a caller sends to the object store itself. Bytes.
 */
export function partSizeFor(size: number | undefined): number {
  const fewest = Math.ceil((size ?? 0) / partLimits.most);
  return Math.max(size === undefined ? 64 * unit : usualPart, Math.ceil(fewest / unit) * unit);
}
