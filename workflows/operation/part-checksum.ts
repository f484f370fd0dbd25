/**
 * What the parts of a multipart upload are checked against. The CRC64NVME of the parts gives that of the whole object,
 * which S3 compares when they are put together; a part may come without it.
 */
export type PartChecksum = 'CRC32' | 'SHA256' | 'CRC64NVME';

/** What a caller says of a part that it sends straight to the object store, in base64. */
export type CallerChecksum = { readonly algorithm: 'SHA256' | 'CRC64NVME'; readonly value: string };
