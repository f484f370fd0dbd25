import type { IncomingMessage } from 'node:http';

/**
 * A header's values, one for each time it was sent. Node's own `headersDistinct` gives the same, but sorts all headers
 * of the request first.
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
