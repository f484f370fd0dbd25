import { type FailureRows, fix, newKey, wait } from './operation/failures.ts';

/** How an upload can fail, beside what can befall every flow. */
export const uploadFailures = {
  // If someone else has removed the object, the upload ends, and the key may begin anew.
  'bytes-missing': {
    status: 409,
    title: 'The bytes have not arrived',
    ...fix,
    retryable: true,
    stored: false,
  },
  'bytes-unexpected': { status: 409, title: 'This upload takes no bytes now', ...newKey, cause: 'protocol' },
  // No bytes have counted yet, so the upload goes on waiting. Once bytes have counted, a fault in them ends it.
  'bytes-refused': { status: 422, title: 'These are not the announced bytes', ...fix, cause: 'whole-hash' },
  'size-mismatch': { status: 422, title: 'The size differs from the declared one', ...newKey, cause: 'size' },
  'protocol-version-unsupported': { status: 412, title: 'This version of the protocol is not spoken here', ...fix },
  'upload-exceeded': { status: 413, title: 'These are more bytes than the upload has', ...fix, cause: 'protocol' },
  'offset-mismatch': { status: 409, title: 'The next byte of the upload is another one', ...fix, cause: 'protocol' },
  'chunk-digest-mismatch': {
    status: 400,
    title: 'The bytes are not those of their digest',
    ...fix,
    retryable: true,
    cause: 'part-checksum',
  },
  'digest-unusable': { status: 400, title: 'The digest cannot be compared', ...fix },
  'digest-mismatch': {
    status: 422,
    title: 'The digest differs from the declared one',
    ...newKey,
    cause: 'whole-hash',
  },
  'type-mismatch': { status: 422, title: 'The content is not of the declared type', ...newKey, cause: 'type' },
  'proof-missing': { status: 422, title: 'Nothing shows that these are the bytes', ...fix },
  'destination-unknown': { status: 422, title: 'There is no such destination', ...fix },
  'destination-refuses': { status: 422, title: 'The destination does not take this', ...fix },
  'upload-too-large': { status: 413, title: 'The destination takes no file of this size', ...fix },
  'range-unsatisfiable': { status: 416, title: 'The file has no such bytes', ...fix },
  'place-taken': { status: 409, title: 'A file of this name is there already', ...newKey },
  'content-undecodable': { status: 422, title: 'The content cannot be decoded', ...newKey },
  'storage-unavailable': { status: 503, title: 'The object store cannot be reached', ...wait, retryAfter: 2 },
} as const satisfies FailureRows;

type UploadFailures = typeof uploadFailures;
declare module './operation/failures.ts' {
  interface FlowFailures extends UploadFailures {}
}
