import { Readable } from 'node:stream';
import type { FastifyReply, FastifyRequest } from 'fastify';
import parseRange from 'range-parser';
import type { Asset } from '../../../activities/stores/postgres/assets/read-asset.ts';
import { objectMissing } from '../../../activities/stores/s3/object-missing.ts';
import { type AssetReader, type Assets, disposition } from '../../uploads/assets.ts';
import { HttpProblem } from '../problems/http-problem.ts';

type Span = { readonly first: number; readonly last: number };
type Sent = { readonly assets: Assets; readonly asset: Asset; readonly reader: AssetReader; readonly inline: boolean };

/**
 * Answers with the bytes of an asset, or with those that a range names (RFC 9110, section 14). Nothing that a page could
 * run is shown in place, and nobody guesses another type.
 * @param sent `inline`: the bytes are to be shown in place of being saved, where that is safe
 */
export async function sendAsset(
  { assets, asset, reader, inline }: Sent,
  request: FastifyRequest,
  reply: FastifyReply,
): Promise<FastifyReply> {
  const { type, size, sha256 } = asset;
  const etag = `"${sha256}"`;
  if (isKnown(request.headers['if-none-match'], etag))
    return reply
      .code(304)
      .headers(fileHeaders(asset, etag, inline))
      .send();
  const span = spanOf(request, reply, etag, size);
  const length = span === undefined ? size : span.last - span.first + 1;
  // A stream without bytes leaves the length as it was told.
  const bytes =
    request.method === 'HEAD' || length === 0
      ? Readable.from([])
      : await opened({ assets, asset, reader }, request, reply, span);
  // Its reader has left.
  if (bytes === undefined) return reply.hijack();
  if (span !== undefined) reply.code(206).header('content-range', `bytes ${span.first}-${span.last}/${size}`);
  return reply
    .headers({ ...fileHeaders(asset, etag, inline), 'content-type': type, 'content-length': length })
    .send(bytes);
}

function fileHeaders(asset: Asset, etag: string, inline: boolean): Record<string, string> {
  return {
    etag,
    'last-modified': asset.readyAt.toUTCString(),
    'accept-ranges': 'bytes',
    // The file may be deleted: a cache has to ask each time.
    'cache-control': 'private, no-cache',
    'content-disposition': disposition(asset, inline),
    'x-content-type-options': 'nosniff',
    'content-security-policy': "sandbox; default-src 'none'",
    'repr-digest': `sha-256=:${Buffer.from(asset.sha256, 'hex').toString('base64')}:`,
  };
}

/**
 * @returns undefined where the reader has left meanwhile
 * @throws HttpProblem too-many-requests, not-found, storage-unavailable
 */
async function opened(
  { assets, asset, reader }: Omit<Sent, 'inline'>,
  request: FastifyRequest,
  reply: FastifyReply,
  span: Span | undefined,
): Promise<Readable | undefined> {
  // A connection that has closed says so no more.
  if (reply.raw.destroyed) return undefined;
  const leave = assets.enter(reader, asset);
  if (leave === undefined)
    throw new HttpProblem(
      'too-many-requests',
      'Too many downloads of this caller are under way: end one of them first.',
    );
  const left = new AbortController();
  reply.raw.once('close', () => {
    left.abort();
    leave();
  });
  try {
    return await assets.open(asset, left.signal, span);
  } catch (error) {
    if (left.signal.aborted) return undefined;
    if (objectMissing(error)) throw new HttpProblem('not-found', 'The bytes of the file are not there any more.');
    request.log.error({ err: error, asset: asset.id }, 'the object store does not give a file');
    throw new HttpProblem('storage-unavailable', 'The object store cannot be reached: ask again after Retry-After.');
  }
}

/** RFC 9110, section 13.1.2: a weak comparison, or any. */
function isKnown(sent: string | undefined, etag: string): boolean {
  return sent?.split(',').some((one) => one.trim() === '*' || one.trim().replace(/^W\//, '') === etag) === true;
}

/** @returns undefined for all bytes: several ranges at once, and units that are not bytes, are not answered (14.2) */
function spanOf(request: FastifyRequest, reply: FastifyReply, etag: string, size: number): Span | undefined {
  const { range, 'if-range': condition } = request.headers;
  if (range === undefined || (condition !== undefined && condition !== etag)) return undefined;
  const parsed = parseRange(size, range);
  if (parsed === -1) {
    reply.header('content-range', `bytes */${size}`);
    throw new HttpProblem('range-unsatisfiable', `The file has ${size} bytes: ask for bytes within them.`, { size });
  }
  if (parsed === -2 || parsed.type !== 'bytes' || parsed.length !== 1) return undefined;
  const [{ start, end } = { start: 0, end: size - 1 }] = parsed;
  return { first: start, last: end };
}
