import type { IncomingMessage } from 'node:http';
import { HttpProblem } from '../problems/http-problem.ts';
import { headerLines } from './header-lines.ts';

/** A name or an address, with an optional port (RFC 3986, 3.2.2): our own URLs are built from it. */
const name = /^(?:[A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\])(?::\d{1,5})?$/;

/** The last valid host: nearly all requests name the same one. */
let lastValid: string | undefined;

export function isHost(text: string): boolean {
  if (text === lastValid) return true;
  if (!name.test(text) || !URL.canParse(`http://${text}`)) return false;
  lastValid = text;
  return true;
}

/**
 * HTTP/1.1 requires a server to refuse with 400 a request that has no Host, two of them, or an invalid one (RFC 9112,
 * 3.2). HTTP/1.0 may omit Host when we build no URL from it, or when the target has named the host. Load balancers
 * probe health that way.
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
        : 'Host is not a valid host';
  throw new HttpProblem(
    'http-malformed',
    `${fault}: send one Host with the name of this server, and its port if it has one.`,
    {
      header: 'Host',
    },
  );
}
