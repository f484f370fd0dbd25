import type { CallerParts, ListedPart } from '../../activities/stores/postgres/uploads/sessions/caller-parts.ts';
import type { Refusal } from '../../workflows/operation/outcome.ts';
import { sizeRefusal } from './transfer-refusal.ts';

type Begun = Pick<CallerParts, 'partSize' | 'signed'>;
type Listed = Omit<ListedPart, 'at'>;

/** @returns how many parts an upload of this size has; undefined where the caller chooses */
export function partCount({ partSize }: Begun, whole: number | undefined): number | undefined {
  return partSize === null || whole === undefined ? undefined : Math.max(1, Math.ceil(whole / partSize));
}

/** @returns how many bytes a part has; undefined where the caller chooses */
export function partSizeOf({ partSize }: Begun, number: number, whole: number | undefined): number | undefined {
  return partSize === null || whole === undefined ? undefined : Math.min(partSize, whole - (number - 1) * partSize);
}

/** Whether a listed part is what was signed. Its size alone proves nothing, so that a wrong one is sent again. */
export function isWhole(begun: Begun, { part, size, checksum }: Listed, whole: number | undefined): boolean {
  const promised = begun.signed.get(part);
  if (promised !== undefined && checksum !== promised) return false;
  return size === (partSizeOf(begun, part, whole) ?? size);
}

/**
 * Holds the parts that the store has against what was signed and what the caller knows.
 * @param told the parts as the caller knows them, if it says so
 * @returns all of the upload's parts, or why they are not all there
 */
export function soundParts(
  begun: Begun,
  listed: readonly Listed[],
  whole: number | undefined,
  told: readonly { readonly number: number; readonly etag: string }[] | undefined,
): { readonly parts: readonly ListedPart[]; readonly size: number } | { readonly refusal: Refusal } {
  const good = new Map(listed.filter((part) => isWhole(begun, part, whole)).map((part) => [part.part, part]));
  const tags = new Map(told?.map(({ number, etag }) => [number, bare(etag)]));
  const count = partCount(begun, whole) ?? told?.length ?? listed.length;
  const missing: number[] = [];
  const parts: ListedPart[] = [];
  let size = 0;
  for (let number = 1; number <= count; number += 1) {
    const part = good.get(number);
    if (part === undefined || (told !== undefined && tags.get(number) !== bare(part.etag))) missing.push(number);
    else {
      parts.push({ ...part, at: size });
      size += part.size;
    }
  }
  if (missing.length > 0 || count === 0) return { refusal: missingParts(missing) };
  return whole === undefined || size === whole ? { parts, size } : { refusal: sizeRefusal(whole, String(size)) };
}

function bare(etag: string): string {
  return etag.replaceAll('"', '');
}

/** More are not named. */
const mostNamed = 100;

export function missingParts(numbers: readonly number[]): Refusal {
  return {
    code: 'bytes-missing',
    detail:
      numbers.length === 0
        ? 'No parts have arrived: ask for the upload, send its parts as the transfer plan says, and complete it again.'
        : `${numbers.length} parts have not arrived as they were signed, the first of them ${numbers[0] ?? 0}: send them again, and complete the upload again.`,
    more: { missing: numbers.slice(0, mostNamed) },
  };
}
