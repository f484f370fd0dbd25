import { supportedMimeTypes } from 'file-type';
import { essence } from '../workflows/operation/media-type.ts';

/** Other names that clients give to types with a registered one. */
const aliases: Readonly<Record<string, string>> = {
  'image/jpg': 'image/jpeg',
  'image/pjpeg': 'image/jpeg',
  'image/x-png': 'image/png',
  'image/x-ms-bmp': 'image/bmp',
  'audio/mp3': 'audio/mpeg',
  'audio/x-wav': 'audio/wav',
  'application/x-zip-compressed': 'application/zip',
  'application/x-pdf': 'application/pdf',
};

/** Documents that are XML or text inside. Nothing in the first bytes proves them. */
const plain = /^(text\/.*|application\/octet-stream|.*\+xml|.*\+json|application\/(json|xml|javascript))$/;
/** Containers for sound, pictures that move, or both: only bytes further inside show which. */
const moving = /^(audio|video)\//;
const zipped = /^application\/(zip|.*\+zip|vnd\.openxmlformats.*|vnd\.oasis.*|epub.*|java-archive|vnd\.android.*)$/;

/**
 * Whether the first bytes may be of the declared type. A type without magic numbers is believed; one that has them
 * must show them.
 * @param sniffed what the bytes show, or '' if they show nothing
 */
export function typeFits(declared: string, sniffed: string): boolean {
  const asked = registered(declared);
  const shown = registered(sniffed);
  if (plain.test(asked) || asked === shown) return true;
  if (moving.test(asked)) return moving.test(shown);
  // A first page of a document in a zip does not always tell which document it is.
  if (zipped.test(asked)) return zipped.test(shown);
  if (asked === 'image/apng' || asked === 'image/png') return shown === 'image/apng' || shown === 'image/png';
  if (asked.startsWith('image/') && !supportedMimeTypes.has(asked)) return shown.startsWith('image/');
  return !supportedMimeTypes.has(asked);
}

function registered(type: string): string {
  const name = essence(type);
  return aliases[name] ?? name;
}
