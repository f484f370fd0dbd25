import { type BareItem, parseDictionary } from 'structured-headers';
import type { IncomingHttpHeaders } from 'node:http';
import type { SentDigest } from '../../uploads/measured-body.ts';
import { HttpProblem } from '../problems/http-problem.ts';

/** The algorithms of RFC 9530, table 1, that are not deprecated, by their names in Node. */
const algorithms = { 'sha-256': 'sha256', 'sha-512': 'sha512' } as const;
const names = Object.keys(algorithms) as (keyof typeof algorithms)[];
const lengths = { 'sha-256': 32, 'sha-512': 64 } as const;

type Field = 'Content-Digest' | 'Repr-Digest';

/** Problem types of draft-ietf-httpapi-digest-fields-problem-types, which wait for their publication as an RFC. */
const typeOf = (name: string): string => `https://iana.org/assignments/http-problem-types#digest-${name}`;

/**
 * The digest of this request's own bytes, from Content-Digest (RFC 9530), or Content-MD5 of older clients (RFC 1864).
 * @throws HttpProblem digest-unusable
 */
export function contentDigestOf(headers: IncomingHttpHeaders): SentDigest | undefined {
  const digests = digestsOf(headers, 'Content-Digest');
  const name = names.find((one) => digests?.has(one));
  if (name !== undefined) return { algorithm: algorithms[name], value: digests?.get(name) as Buffer };
  const md5 = headers['content-md5'];
  if (md5 === undefined) return undefined;
  const value = Buffer.from(String(md5), 'base64');
  if (value.length !== 16 || value.toString('base64') !== md5)
    throw invalid('Content-MD5', 'md5', 'it is not 16 bytes in base64');
  return { algorithm: 'md5', value };
}

/**
 * The SHA-256 of the whole file, from Repr-Digest, in lower-case hex.
 * @throws HttpProblem digest-unusable, also where there are other algorithms only: we would not check them
 */
export function reprDigestOf(headers: IncomingHttpHeaders): string | undefined {
  const digests = digestsOf(headers, 'Repr-Digest');
  if (digests === undefined) return undefined;
  const value = digests.get('sha-256');
  if (value === undefined) throw unsupported('Repr-Digest', [...digests.keys()], ['sha-256']);
  return value.toString('hex');
}

function digestsOf(headers: IncomingHttpHeaders, field: Field): ReadonlyMap<string, Buffer> | undefined {
  const text = headers[field.toLowerCase()];
  if (text === undefined) return undefined;
  const digests = new Map<string, Buffer>();
  for (const [name, value] of dictionary(field, String(text))) {
    const bytes = bytesOf(value);
    if (bytes === undefined) throw invalid(field, name, 'it is not a byte sequence, such as :…=:');
    if (name in lengths && bytes.length !== lengths[name as keyof typeof lengths])
      throw invalid(field, name, `it has ${bytes.length} bytes and not ${lengths[name as keyof typeof lengths]}`);
    digests.set(name, bytes);
  }
  if (!names.some((name) => digests.has(name))) throw unsupported(field, [...digests.keys()], names);
  return digests;
}

function dictionary(field: Field, text: string): [string, unknown][] {
  try {
    return [...parseDictionary(text)].map(([name, [value]]) => [name, value]);
  } catch {
    throw invalid(field, '', 'it is no dictionary of a structured field (RFC 9651)');
  }
}

function bytesOf(value: unknown): Buffer | undefined {
  const bytes = value as BareItem;
  return bytes instanceof ArrayBuffer ? Buffer.from(bytes) : undefined;
}

function invalid(header: string, algorithm: string, reason: string): HttpProblem {
  const more = { header, 'invalid-digests': [{ header, algorithm, reason }] };
  const about = { type: typeOf('invalid-values') };
  return new HttpProblem(
    'digest-unusable',
    `${header}: ${algorithm === '' ? '' : `${algorithm}: `}${reason}.`,
    more,
    about,
  );
}

function unsupported(header: string, given: readonly string[], known: readonly string[]): HttpProblem {
  const more = { header, 'unsupported-algorithms': given.map((algorithm) => ({ header, algorithm })) };
  const about = { type: typeOf('unsupported-algorithms') };
  return new HttpProblem('digest-unusable', `${header}: give a digest by ${known.join(' or ')}.`, more, about);
}

/** The problem type for bytes that do not have their digest. */
export const mismatchingDigest = typeOf('mismatching-values');
