import type { IncomingHttpHeaders } from 'node:http';
import { largestUpload } from '../../../../workflows/operation/part-limits.ts';
import { HttpProblem } from '../../problems/http-problem.ts';

export const tusVersion = '1.0.0';
/** "All PATCH requests MUST use Content-Type: application/offset+octet-stream" (tus 1.0, PATCH). */
export const tusBody = 'application/offset+octet-stream';
export const tusPath = '/v1/tus';
export const tusExtensions = [
  'creation',
  'creation-with-upload',
  'creation-defer-length',
  'expiration',
  'checksum',
  'termination',
  'concatenation',
] as const;
/** By the names of tus. SHA-1 is the one that the protocol requires; only SHA-256 proves content. */
const algorithms = { sha1: 'sha1', sha256: 'sha256' } as const;
export const tusAlgorithms = Object.keys(algorithms);

export function tusUrl(id: string): string {
  return `${tusPath}/${id}`;
}

function malformed(header: string, expected: string): HttpProblem {
  return new HttpProblem('request-invalid', `${header}: ${expected}.`, { header });
}

/** A whole number of bytes. Sent twice, it is a list and no number. */
export function bytesOf(headers: IncomingHttpHeaders, header: 'Upload-Length' | 'Upload-Offset'): number | undefined {
  const text = headers[header.toLowerCase()];
  if (text === undefined) return undefined;
  if (typeof text !== 'string' || !/^\d{1,15}$/.test(text)) throw malformed(header, 'give one whole number of bytes');
  return Number(text);
}

/**
 * @returns undefined when the size is to be told later
 * @throws HttpProblem request-invalid, body-too-large
 */
export function lengthOf(headers: IncomingHttpHeaders): number | undefined {
  const length = bytesOf(headers, 'Upload-Length');
  const deferred = headers['upload-defer-length'];
  if (deferred !== undefined && deferred !== '1') throw malformed('Upload-Defer-Length', 'it may only be 1');
  if ((length === undefined) === (deferred === undefined))
    throw malformed('Upload-Length', 'send it, or Upload-Defer-Length: 1, and not both');
  if ((length ?? 0) > largestUpload)
    throw new HttpProblem('body-too-large', `Upload-Length: an upload has at most ${largestUpload} bytes.`);
  return length;
}

/** What is taken from Upload-Metadata, by the names that clients use. All of it is given back as it came. */
const fields = {
  name: ['name', 'filename'],
  type: ['type', 'filetype', 'contentType'],
  destination: ['destination'],
  sha256: ['sha256'],
  dedup: ['dedup'],
  whenSame: ['whenSame'],
} as const;

/** What an upload is called about which its client says nothing. */
const unnamed = { name: 'upload', type: 'application/octet-stream', destination: 'uploads' };

type Announced = Readonly<Record<string, string>>;

/**
 * "The Upload-Metadata request and response header MUST consist of one or more comma-separated key-value pairs" (tus
 * 1.0, Creation): a key, and a value in base64 that may be left out.
 */
export function announcedBy(headers: IncomingHttpHeaders): Announced {
  const header = headers['upload-metadata'];
  if (header === undefined || header === '') return unnamed;
  const pairs = new Map<string, string>();
  for (const pair of String(header).split(',')) {
    const [, key = '', value = ''] = /^ *([\x21-\x2b\x2d-\x7e]+)(?: +([A-Za-z0-9+/]*={0,2}))? *$/.exec(pair) ?? [];
    if (key === '')
      throw malformed('Upload-Metadata', 'give pairs of a key and a value in base64, with commas between');
    if (pairs.has(key)) throw malformed('Upload-Metadata', `the key ${key.slice(0, 50)} stands there twice`);
    pairs.set(key, Buffer.from(value, 'base64').toString());
  }
  const told = Object.entries(fields).flatMap(([field, names]) => {
    const value = names.map((name) => pairs.get(name)).find((one) => one !== undefined && one !== '' && one !== 'null');
    return value === undefined ? [] : [[field, value] as const];
  });
  return { ...unnamed, ...Object.fromEntries(told), metadata: String(header) };
}

/** `{algorithm} {digest in base64}` (tus 1.0, Checksum). */
export function checksumOf(headers: IncomingHttpHeaders) {
  const header = headers['upload-checksum'];
  if (header === undefined) return undefined;
  const [, name = '', value = ''] = /^([a-z0-9]+) ([A-Za-z0-9+/]+={0,2})$/.exec(String(header)) ?? [];
  if (!Object.hasOwn(algorithms, name))
    throw malformed('Upload-Checksum', `give ${tusAlgorithms.join(' or ')}, a space, and the digest in base64`);
  return { algorithm: algorithms[name as keyof typeof algorithms], value: Buffer.from(value, 'base64') };
}

type Concat = { readonly kind: 'partial' } | { readonly kind: 'final'; readonly joins: readonly string[] };

/** `partial`, or `final;` and the URLs of the partial uploads (tus 1.0, Concatenation). */
export function concatOf(headers: IncomingHttpHeaders): Concat | undefined {
  const header = headers['upload-concat'];
  if (header === undefined) return undefined;
  if (header === 'partial') return { kind: 'partial' };
  const [, urls] = /^final; *(.+)$/.exec(String(header)) ?? [];
  const ids = urls
    ?.trim()
    .split(/ +/)
    .map((url) => new RegExp(`^(?:https?://[^/]+)?${tusPath}/(op_[0-9a-z]{26})$`).exec(url)?.[1]);
  if (ids === undefined || ids.includes(undefined))
    throw malformed('Upload-Concat', `send partial, or final; and the URLs of partial uploads as ${tusPath} gave them`);
  return { kind: 'final', joins: ids as string[] };
}
