import { isUtf8 } from 'node:buffer';
import { fileTypeFromBuffer } from 'file-type';
import { writtenAsText } from './type-families.ts';

/** As many first bytes as file-type's documentation asks for; a tar header is the longest evidence. */
export const sniffLength = 4_100;

/** ISO 32000-1, appendix H.3.4: readers look for the header in so many first bytes. */
const pdfWithin = 1_024;
const pdfHeader = /%PDF-[12]\.\d/;

/** Formats that file-type judges by what stands further inside, by their first bytes alone. In `latin1`. */
const signatures: readonly (readonly [start: string, type: string])[] = [
  ['II*\0', 'image/tiff'],
  ['MM\0*', 'image/tiff'],
  ['II+\0', 'image/tiff'],
  ['MM\0+', 'image/tiff'],
  ['\xff\xd8\xff', 'image/jpeg'],
  ['\x89PNG\r\n\x1a\n', 'image/png'],
  ['PK\x03\x04', 'application/zip'],
  ['\xc5\xd0\xd3\xc6', 'application/eps'],
  ['%!PS', 'application/postscript'],
];

/** Control characters that no text has; tab, line and page ends, and escape are in texts. */
// oxlint-disable-next-line no-control-regex -- what is looked for
const control = /[\x00-\x08\x0e-\x1a\x1c-\x1f\x7f]/;

/**
 * @returns the media type that the first bytes show; `text/plain` for text that shows nothing more; '' if they show nothing
 */
export async function sniffType(start: Uint8Array): Promise<string> {
  if (start.length === 0) return '';
  const characters = Buffer.from(start).toString('latin1');
  const text = textOf(start, characters);
  const found = (await fileTypeFromBuffer(start))?.mime ?? '';
  // Two letters are enough for some signatures, and any text may begin with them.
  if (found !== '' && (text === 'no' || writtenAsText.test(found))) return found;
  if (pdfHeader.test(characters.slice(0, pdfWithin))) return 'application/pdf';
  const signed = signatures.find(([signature]) => characters.startsWith(signature));
  if (signed !== undefined) return signed[1];
  return text === 'yes' ? 'text/plain' : '';
}

/** @returns null where not all of the first bytes are there: they have to be read */
export async function sniffStart(start: Uint8Array, size: number): Promise<string | null> {
  return start.length === Math.min(size, sniffLength) ? await sniffType(start) : null;
}

/** @returns `perhaps`: nothing speaks against it, but its coding is not a Unicode one */
function textOf(start: Uint8Array, characters: string): 'yes' | 'perhaps' | 'no' {
  if (/^(\xff\xfe|\xfe\xff)/.test(characters)) {
    const coding = characters.startsWith('\xff') ? 'utf-16le' : 'utf-16be';
    return control.test(new TextDecoder(coding).decode(start)) ? 'no' : 'yes';
  }
  if (control.test(characters)) return 'no';
  // The last character may be cut.
  const whole = [0, 1, 2, 3].some((cut) => isUtf8(start.subarray(0, start.length - Math.min(cut, start.length - 1))));
  return whole ? 'yes' : 'perhaps';
}
