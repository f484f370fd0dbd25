/** The key of an upload's bytes. A key is written once and never reused. */

export function uploadPrefix(operation: string): string {
  return `${uploads}${operation}/`;
}

/** Each PUT through the HTTP API writes an object of its own. The ledger's row says which one counts. */
export function doorKey(operation: string, token: string): string {
  return `${uploadPrefix(operation)}${token}`;
}

/** A presigned PUT may be repeated by its caller: one object, which `If-None-Match: *` lets be written once. */
export function presignedKey(operation: string): string {
  return `${uploadPrefix(operation)}presigned`;
}

export function isPresignedKey(key: string): boolean {
  return /^uploads\/op_[0-9a-z]{26}\/presigned$/.test(key);
}

/** All the bytes of an upload that came in one piece. Each writer has an epoch of its own. */
export function wholeKey(operation: string, epoch: number): string {
  return `${uploadPrefix(operation)}whole-${epoch}`;
}

/** The object that a multipart upload of this writer becomes. */
export function partsKey(operation: string, epoch: number): string {
  return `${uploadPrefix(operation)}parts-${epoch}`;
}

/** What the parts become that a caller sends itself. */
export function callerPartsKey(operation: string): string {
  return `${uploadPrefix(operation)}caller-parts`;
}

/** A small piece. */
export function tailKey(operation: string, epoch: number, at: number): string {
  return `${uploadPrefix(operation)}tail-${epoch}-${at}`;
}

/** An upload that was put together from several objects. Two attempts make the same bytes, and the first stays. */
export function joinedKey(operation: string): string {
  return `${uploadPrefix(operation)}joined`;
}

/** Thumbnails belong to a content, which stands for one SHA-256 in one dedup scope for as long as it lives. */
export function thumbnailPrefix(content: string): string {
  return `${derivatives}${content}/`;
}

/** Where bytes of uploads and what was made of them lie. */
export const uploads = 'uploads/';
export const derivatives = 'thumbnails/';

/** @returns the operation that a key names as the owner of its bytes; undefined for a key that no build of ours makes */
export function operationOfKey(key: string): string | undefined {
  return /^uploads\/(op_[0-9a-z]{26})\/[0-9A-Za-z_-]{1,64}$/.exec(key)?.[1];
}

/** @returns the content that a key names as what it was made of; undefined for a key that no build of ours makes */
export function contentOfKey(key: string): string | undefined {
  return /^thumbnails\/(cnt_[0-9a-z]{26})\/[0-9A-Za-z_-]{1,64}\/[0-9A-Za-z_-]{1,64}\.webp$/.exec(key)?.[1];
}

/** What the bucket remembers of its ledger. */
export const ledgerMarkKey = 'hapax-ledger.json';

/** The prefix of the store's own proofs. */
export const proofs = 'proofs/';

/** The objects with which the store is tried. None of them stays. */
export function proofPrefix(token: string): string {
  return `${proofs}${token}/`;
}
