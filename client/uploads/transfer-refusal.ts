import type { Transfer } from '../../activities/stores/postgres/uploads/read-transfer.ts';
import { essence } from '../../workflows/operation/media-type.ts';
import type { Refusal } from '../../workflows/operation/outcome.ts';
import { isSettled } from '../../workflows/operation/state.ts';
import { slowestTransfer } from '../../workflows/operation/transfer-time.ts';

/** The same key begins a new upload of it (`renewsAfter`). */
const announceAgain = 'announce it again, with the same key or a new one, and send its bytes there.';

/** @returns why an upload takes no bytes, or undefined when it waits for them or has them */
export function transferRefusal(transfer: Transfer): Refusal | undefined {
  const { state, cancelRequested, due, outcome } = transfer;
  if (state === 'succeeded') return undefined;
  if (cancelRequested || state === 'cancelled')
    return { code: 'cancelled', detail: `The upload was cancelled: ${announceAgain}` };
  if (state === 'expired' || outcome === 'closed' || (outcome === 'open' && due))
    return { code: 'expired', detail: `The upload has expired: ${announceAgain}` };
  if (isSettled(state) || state === 'compensating')
    return {
      code: 'bytes-unexpected',
      detail: `The upload has ended as ${state}: look at the operation for the reason.`,
    };
  return undefined;
}

/** A header that differs from the announcement is a mistake. A header that says nothing about the content is not. */
export function contentTypeRefusal(declared: string, header: string | undefined): Refusal | undefined {
  if (header === undefined) return undefined;
  const [asked, given] = [essence(declared), essence(header)];
  if (given === asked || given === 'application/octet-stream') return undefined;
  return {
    code: 'media-type-unsupported',
    detail: `The upload was announced as ${asked} and the Content-Type says ${given}: send it as ${asked}, or without the header.`,
    more: { header: 'Content-Type', expected: asked, actual: given },
  };
}

export function sizeRefusal(declared: number, actual: string): Refusal {
  return {
    code: 'bytes-refused',
    detail: `The upload was announced with ${declared} bytes and ${actual} arrived. Nothing was kept and the upload goes on: send exactly its ${declared} bytes to the same URL.`,
    more: { field: 'size', declared, cause: 'size' },
  };
}

/** For a body whose sender was given up on in the middle. */
export function lateRefusal(why: 'silent' | 'slow'): Refusal {
  const what =
    why === 'silent'
      ? 'The bytes stopped arriving.'
      : `The bytes arrived at less than ${slowestTransfer} bytes a second for too long.`;
  return {
    code: 'request-timeout',
    detail: `${what} Nothing was kept and the upload goes on waiting: send all of its bytes again to the same URL.`,
  };
}

export function digestRefusal(declared: string | undefined, actual: string): Refusal {
  return {
    code: 'bytes-refused',
    detail: `The SHA-256 of the received bytes is ${actual}, not the announced one. Nothing was kept and the upload goes on: send the announced bytes to the same URL.`,
    more: { field: 'sha256', declared, actual },
  };
}

export const storeAway: Refusal = {
  code: 'storage-unavailable',
  detail: 'The object store did not take the bytes: send them again.',
};

export const otherBytes: Refusal = {
  code: 'bytes-unexpected',
  detail: 'This upload already has its bytes, and these are different: announce another upload, with a key of its own.',
};

/** For a body of an upload that comes in several. */
export function brokenRefusal(why: 'silent' | 'slow'): Refusal {
  return {
    code: 'request-timeout',
    detail: `${why === 'silent' ? 'The bytes stopped arriving.' : 'The bytes arrived too slowly.'} What has come is kept: ask for the offset, and go on from there.`,
  };
}

export function tooLongRefusal(size: number, offset: number, length: number | undefined): Refusal {
  const comes = length === undefined ? 'more' : `${length}`;
  return {
    code: 'upload-exceeded',
    detail: `The upload has ${size} bytes, of which ${offset} are there, and ${comes} came: send the ${size - offset} bytes that are missing.`,
    more: { offset, size },
  };
}

export const chunkDigestRefusal: Refusal = {
  code: 'chunk-digest-mismatch',
  detail: 'The bytes of this request are not those of its digest. Nothing of it was kept: send it again.',
};

export const notInOnePut: Refusal = {
  code: 'bytes-unexpected',
  detail: 'This upload does not take its bytes in one PUT: send them as its `transfer` says.',
};

export const piecesLost: Refusal = {
  code: 'bytes-missing',
  detail: `Bytes that had come were removed from the object store: ${announceAgain}`,
  more: { cause: 'assembly' },
};
