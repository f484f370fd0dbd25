import { z } from 'zod';
import { days, hours } from './operation/duration.ts';
import { fileName, isWellFormed } from './operation/file-name.ts';
import { defineFlow } from './operation/flow.ts';
import { largestUpload } from './operation/part-limits.ts';
import { transferTime } from './operation/transfer-time.ts';
import { thumbnail } from './operation/thumbnail.ts';
import { uploadFailures } from './upload.failures.ts';

/** S3 takes up to 5 GiB in one PUT ("Uploading objects", Amazon S3 user guide). Bytes. */
export const largestPut = 5 * 1024 ** 3;

/** Ways that may tell the size with the last byte. */
const tellsLater: ReadonlySet<string> = new Set(['tus', 'resumable', 's3']);
/** Ways that carry all bytes in one PUT. */
const onePut: ReadonlySet<string> = new Set(['door', 'presigned']);

/**
 * No sender counts as too slow before this time: a photograph of 5 MB takes 45 minutes at 2 KB a second, which is what
 * a very bad mobile connection gives.
 */
export const transferGrace = hours(1);

/** The time of the slowest sender for the largest body. No body takes longer than this. */
export const longestTransfer = transferGrace + transferTime(largestPut);

/** A leaked signed URL can be used for at most this long. A caller that needs longer asks for a new one. */
export const signatureLifetime = hours(1);

/**
 * RFC 9110, section 8.3.1: type "/" subtype, then parameters, any of which may be empty (`text/plain;`). Browsers leave a
 * comma unquoted (`video/webm;codecs=vp8,opus`). ASCII alone, since it travels in headers that are signed.
 */
const mediaType = z
  .string()
  .max(255)
  .regex(
    /^[A-Za-z0-9!#$&^_.+-]{1,127}\/[A-Za-z0-9!#$&^_.+-]{1,127}( *;( *[A-Za-z0-9!#$&^_.+-]+=("[\x20\x21\x23-\x5b\x5d-\x7e]*"|[A-Za-z0-9!#$&^_.,+-]+))?)*$/u,
    "give a media type, such as 'image/jpeg'",
  );

const sha256 = z.string().regex(/^[0-9a-f]{64}$/, 'give the SHA-256 as 64 hexadecimal digits in lower case');

/** Ways for bytes: one body or one signed PUT, signed parts, and the protocols for bytes that come over days. */
const transferMethods = ['door', 'presigned', 'multipart', 'tus', 'resumable', 's3'] as const;

/** The bytes that came, in an object of their own. */
const receivedBytes = z.strictObject({
  method: z.enum(transferMethods),
  objectKey: z.string(),
  size: z.int(),
  /** null if we have not read them yet. */
  sha256: sha256.nullable(),
  /** The type that the first bytes show, or '' if they show none; null if nobody has looked yet. */
  sniffedType: z.string().nullable(),
  /** They lie in pieces, and become the object once they are put together. */
  inPieces: z.boolean().optional(),
  /** Partial uploads that it joins, in their order. */
  joins: z.array(z.string()).readonly().optional(),
  /** What its sender says of the whole, in base64; the object store compares it. */
  crc64nvme: z.string().optional(),
});

/** Takes a file once: it is announced, sent, verified, placed, and given thumbnails. */
export const uploadFlow = defineFlow({
  name: 'upload',
  version: 1,
  title: 'Upload a file',
  description:
    'The answer says what to do next. A `transfer` without `complete` goes through this service: send the bytes with its ' +
    'method, URL and headers, and your token; the answered PUT ends it. With `transfer: "presigned"` in the request the ' +
    'bytes go straight to the object store: send them with exactly those headers and no token, then ask `complete`. ' +
    'Where its `sha256` is announced and the caller has that file already, there is no `transfer`, and no byte is sent. ' +
    'Asked again with the same key, the answer holds the current state: 201 and a freshly signed `transfer` while it waits, ' +
    '202 while it is under way, and in the end the result.',
  route: 'uploads',
  request: z
    .strictObject({
      name: fileName,
      /** May be told later by a protocol that allows it. */
      size: z.int().min(0).max(largestUpload).optional(),
      type: mediaType,
      sha256: sha256.optional(),
      destination: z
        .string()
        .min(1)
        .max(200)
        // oxlint-disable-next-line no-control-regex -- as in a file's name
        .regex(/^[^\x00-\x1f\x7f-\x9f]+$/, 'give a destination without control characters')
        .refine(isWellFormed, 'holds half a surrogate pair'),
      /** Who shares one object for the same bytes; `account` by default. */
      dedup: z.enum(['global', 'account', 'folder', 'intent']).optional(),
      /**
       * What becomes of it where its subject has a file of the same name at the destination; `keep_both` by default.
       */
      whenSame: z.enum(['keep_both', 'replace', 'refuse']).optional(),
      /** Whether it is taken only if its bytes show its type; by default a type is believed unless they contradict it. */
      strict: z.boolean().optional(),
      /** Who may look at the file and download it: its whole tenant (the default), or its subject alone. */
      readers: z.enum(['tenant', 'subject']).optional(),
      /** How the bytes come: through the HTTP API (the default) or straight to the object store. */
      transfer: z.enum(transferMethods).optional(),
      /** It is a piece of a file that other uploads will join (tus: `Upload-Concat: partial`). */
      partial: z.boolean().optional(),
      /** Given back as it came (tus: `Upload-Metadata`). */
      metadata: z
        .string()
        .max(4_096)
        .regex(/^[\x20-\x7e]*$/, 'give printable ASCII characters')
        .optional(),
    })
    .refine(({ transfer, sha256: declared }) => transfer !== 'presigned' || declared !== undefined, {
      path: ['sha256'],
      message: 'is required for a presigned transfer: the object store checks the bytes against it',
    })
    .refine(({ partial, transfer }) => partial !== true || transfer === 'tus', {
      path: ['partial'],
      message: 'is for uploads by tus',
    })
    .refine(({ transfer = 'door', size }) => size !== undefined || tellsLater.has(transfer), {
      path: ['size'],
      message: 'is required: only the protocols for uploads that go on can tell it later',
    })
    .refine(({ transfer = 'door', size = 0 }) => size <= largestPut || !onePut.has(transfer), {
      path: ['size'],
      message: `is more than one PUT can carry (${largestPut} bytes): choose another \`transfer\``,
    })
    .meta({ examples: [{ name: 'greeting.txt', size: 12, type: 'text/plain', destination: 'inbox' }] }),
  result: z
    .object({
      name: z.string(),
      size: z.int(),
      type: z.string(),
      sha256,
      destination: z.string(),
      assetId: z.string(),
      /** The scope had these bytes already: no second object is kept. */
      deduplicated: z.boolean(),
      /** The assets that stood at its place before. */
      replaces: z.array(z.string()).optional(),
      thumbnails: z.array(thumbnail),
      /** Optional steps that failed, by name and reason. */
      failures: z.array(z.object({ step: z.string(), code: z.string(), detail: z.string() })),
    })
    .meta({
      examples: [
        {
          name: 'greeting.txt',
          size: 12,
          type: 'text/plain',
          sha256: 'a948904f2f0f479b8f8197694b30184b0d2ed1c1cd2a1ec0fb85d299a192a447',
          destination: 'inbox',
          assetId: 'ast_00000000000000000000000000',
          deduplicated: false,
          thumbnails: [],
          failures: [],
        },
      ],
    }),
  // How the bytes travel is not part of the intent: the same upload may begin in one way and finish in another.
  intent: ['name', 'size', 'type', 'sha256', 'destination', 'dedup', 'partial', 'whenSame', 'strict', 'readers'],
  keyScope: 'subject',
  answers: 'state',
  workflow: 'tells',
  failures: uploadFailures,
  refusals: [
    ...(['bytes-missing', 'size-mismatch', 'digest-mismatch', 'type-mismatch', 'content-undecodable'] as const),
    'place-taken',
  ],
  declines: ['destination-unknown', 'destination-refuses', 'upload-too-large'],
  // Half an upload is worth nothing: the same key then announces it anew.
  renewsAfter: ['cancelled', 'expired'],
  // Within a day an object store or a media worker is repaired, or the upload is undone.
  patience: hours(24),
  undoPatience: hours(24),
  // An object store that is away for an hour is an incident that somebody looks at anyway.
  personAfter: hours(1),
  // A browser that lost the answer asks again when it is opened the next day.
  retryHorizon: days(3),
  retention: {
    response: days(30),
    tombstone: days(400),
    because: 'a client that was offline for some weeks still learns what became of its file; a tombstone covers a year',
  },
  // A PUT may begin in the last minute of its signed URL and then take its time. An hour is to spare.
  sweepAfter: signatureLifetime + longestTransfer + hours(1),
  steps: {
    receive: {
      effect: 'await',
      says: 'Waiting for the bytes',
      undo: 'own',
      placement: 'outside',
      // Counted from the last byte, so that a week of holidays in between does no harm.
      patience: days(7),
      evidence: receivedBytes,
      same: ['objectKey'],
      next: 'Send the bytes as `transfer` says.',
      expired: 'The bytes did not arrive in time: announce the upload again, with the same key or a new one.',
    },
    assemble: {
      effect: 'natural',
      says: 'Putting the pieces together',
      undo: { coveredBy: 'receive' },
      refusable: true,
      placement: 'bytes',
    },
    verify: {
      effect: 'natural',
      says: 'Verifying size, content and type',
      undo: 'nothing',
      refusable: true,
      placement: 'bytes',
    },
    finalize: { effect: 'transaction', says: 'Placing the file', undo: 'own', refusable: true },
    tidy: {
      effect: 'natural',
      says: 'Removing what is not needed',
      undo: 'nothing',
      refusable: false,
      placement: 'outside',
    },
    thumbnails: {
      effect: 'natural',
      says: 'Making thumbnails',
      undo: { coveredBy: 'receive' },
      refusable: true,
      placement: 'media',
      // Four pauses of 1, 4, 16 and 64 s outlast an object store that is away for a minute; a queue of pictures may be longer.
      optional: { within: hours(1) },
    },
    publish: {
      effect: 'transaction',
      says: 'Announcing that the file is ready',
      undo: 'nothing',
      refusable: false,
    },
  },
});
