import type { IncomingMessage } from 'node:http';

/**
 * A header's values, one for each time that it was sent. Node's own `headersDistinct` says the same and sorts all headers
 * of a request for it.
 * @param name in lower case
 */
export function headerLines({ rawHeaders }: IncomingMessage, name: string): readonly string[] {
  const lines: string[] = [];
  for (let at = 0; at < rawHeaders.length; at += 2) {
    const sent = rawHeaders[at] as string;
    if (sent.length === name.length && sent.toLowerCase() === name) lines.push(rawHeaders[at + 1] as string);
  }
  return lines;
}
