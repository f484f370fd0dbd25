import type { IncomingMessage } from 'node:http';
import { HttpProblem } from '../problems/http-problem.ts';
import { headerLines } from './header-lines.ts';

/** A name or an address, and a port (RFC 3986, 3.2.2): our own URLs are made of it. */
const name = /^(?:[A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\])(?::\d{1,5})?$/;

/** The last one that was found to be sound: nearly all requests ask for the same. */
let sound: string | undefined;

export function isHost(text: string): boolean {
  if (text === sound) return true;
  if (!name.test(text) || !URL.canParse(`http://${text}`)) return false;
  sound = text;
  return true;
}

/**
 * HTTP/1.1 asks a server to refuse with 400 what has no Host, two of them, or one that is no host (RFC 9112, 3.2).
 * HTTP/1.0 may omit it where we build no URL from it, or where the target has named the host: load balancers probe health
 * that way.
 * @throws HttpProblem http-malformed
 */
export function requireSoundHost(request: IncomingMessage, forUrls: boolean): void {
  const { headers, httpVersion } = request;
  const lines = headerLines(request, 'host');
  if (lines.length === 0 && httpVersion === '1.0' && (!forUrls || headers.host !== undefined)) return;
  const [host = ''] = lines;
  if (lines.length === 1 && isHost(host)) return;
  const fault =
    lines.length === 0
      ? 'The request has no Host header'
      : lines.length > 1
        ? 'Host was sent twice'
        : 'Host is no host';
  throw new HttpProblem(
    'http-malformed',
    `${fault}: name the host that you ask, once, with its port where it has one.`,
    {
      header: 'Host',
    },
  );
}
