/** @returns type and subtype in lower case, without parameters (RFC 9110, section 8.3.1) */
export function essence(mediaType: string): string {
  return (mediaType.split(';')[0] ?? '').trim().toLowerCase();
}
