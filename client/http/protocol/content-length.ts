import type { IncomingHttpHeaders } from 'node:http';

/** @returns the bytes of a body, 0 where there is none; undefined when it comes in chunks and does not tell its length */
export function contentLength({
  'content-length': length,
  'transfer-encoding': coding,
}: IncomingHttpHeaders): number | undefined {
  if (length !== undefined) return Number(length);
  return coding === undefined ? 0 : undefined;
}
