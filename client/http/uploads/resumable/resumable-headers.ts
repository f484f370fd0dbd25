import type { IncomingHttpHeaders } from 'node:http';
import { parse } from 'content-disposition';
import { parseItem } from 'structured-headers';
import { uploadFlow } from '../../../../workflows/upload.flow.ts';
import { largestUpload } from '../../../../workflows/operation/part-limits.ts';
import { HttpProblem } from '../../problems/http-problem.ts';

export const resumablePath = '/v1/resumable';
export const partialBody = 'application/partial-upload';

export function resumableUrl(id: string): string {
  return `${resumablePath}/${id}`;
}

/**
 * The versions that differ on the wire, by the number that clients send until there is an RFC: 3 is draft 01 (iOS 17), 4
 * and 5 are drafts 02 and 03, 6 is draft 04 and 05 (iOS 18), 7 is draft 06 and 07, 8 is draft 08 and all later ones.
 */
const versions = [3, 4, 5, 6, 7, 8] as const;
type Version = (typeof versions)[number];
const newest: Version = 8;

/** Which of the drafts a client speaks, and what it asks for with that. */
export type Dialect = {
  readonly version: Version;
  /** The client has told its version: it understands interim responses. */
  readonly told: boolean;
};

/** @throws HttpProblem protocol-version-unsupported */
export function dialectOf(headers: IncomingHttpHeaders): Dialect {
  const text = headers['upload-draft-interop-version'];
  if (text === undefined) return { version: newest, told: false };
  const version = versions.find((one) => String(one) === text);
  if (version === undefined)
    throw new HttpProblem(
      'protocol-version-unsupported',
      `Upload-Draft-Interop-Version: this service speaks ${versions.join(', ')}.`,
      { header: 'Upload-Draft-Interop-Version', expected: versions },
    );
  return { version, told: true };
}

/** An item of a structured field. "Other values MUST cause the entire header field to be ignored." */
function item(headers: IncomingHttpHeaders, name: string): unknown {
  const text = headers[name];
  if (typeof text !== 'string') return undefined;
  try {
    return parseItem(text)[0];
  } catch {
    return undefined;
  }
}

/** @returns a number of bytes; undefined where there is none, or something else */
export function bytesIn(headers: IncomingHttpHeaders, name: 'upload-offset' | 'upload-length'): number | undefined {
  const value = item(headers, name);
  return typeof value === 'number' && Number.isInteger(value) && value >= 0 ? value : undefined;
}

/** Whether the upload ends with this body. Draft 01 asked for the contrary. */
export function completes(headers: IncomingHttpHeaders, { version }: Dialect): boolean | undefined {
  const value = item(headers, version === 3 ? 'upload-incomplete' : 'upload-complete');
  return typeof value === 'boolean' ? value !== (version === 3) : undefined;
}

export function completeness({ version }: Dialect, complete: boolean): Record<string, string> {
  return version === 3
    ? { 'upload-incomplete': complete ? '?0' : '?1' }
    : { 'upload-complete': complete ? '?1' : '?0' };
}

/** `max-age` was `expires` until draft 06. Seconds. */
export function limits({ version }: Dialect): Record<string, string> {
  if (version < 6) return {};
  const seconds = Math.floor(uploadFlow.steps.receive.patience / 1_000);
  return { 'upload-limit': `max-size=${largestUpload}, ${version === 6 ? 'expires' : 'max-age'}=${seconds}` };
}

/** "The Content-Disposition header field can be used to transmit a filename." */
export function filenameOf(headers: IncomingHttpHeaders): string | undefined {
  const text = headers['content-disposition'];
  if (text === undefined) return undefined;
  const name = parse(text).parameters.filename;
  return name === undefined || name === '' ? undefined : name;
}
