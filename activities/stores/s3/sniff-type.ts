import { fileTypeFromBuffer } from 'file-type';

/** As many first bytes as file-type's documentation asks for; a tar header is the longest evidence. */
export const sniffLength = 4_100;

/** @returns the media type that the first bytes show, or '' if they show none, as for text */
export async function sniffType(start: Uint8Array): Promise<string> {
  return (await fileTypeFromBuffer(start))?.mime ?? '';
}

/** @returns null where not all of the first bytes are there: they have to be read */
export async function sniffStart(start: Uint8Array, size: number): Promise<string | null> {
  return start.length === Math.min(size, sniffLength) ? await sniffType(start) : null;
}
