/** @returns whether S3 has said that there is no such object; for a HEAD only the status says so */
export function objectMissing(error: unknown): boolean {
  return statusOf(error) === 404;
}

/** @returns whether `If-None-Match: *` has found an object, or another write of the same key at this moment (409) */
export function objectExists(error: unknown): boolean {
  const status = statusOf(error);
  return status === 412 || status === 409;
}

/** @returns the status of S3's answer; undefined if there was no answer */
export function statusOf(error: unknown): number | undefined {
  return (error as { $metadata?: { httpStatusCode?: number } } | null)?.$metadata?.httpStatusCode;
}

/** @returns whether S3 has named an object or a multipart upload that is gone; a bucket that is gone has another name */
export function namesGone(error: unknown): boolean {
  const name = (error as { name?: string } | undefined)?.name;
  return name === 'NoSuchUpload' || name === 'NoSuchKey';
}
