import mime from 'mime';

/** @returns the media type that the extension of a file's name stands for, by the IANA's and other registers */
export function typeByName(name: string): string | undefined {
  return name.includes('.') ? (mime.getType(name) ?? undefined) : undefined;
}
