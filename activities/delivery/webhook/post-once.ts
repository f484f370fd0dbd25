import { type IncomingMessage, request as requestByHttp, type RequestOptions } from 'node:http';
import { request as requestByHttps } from 'node:https';
import type { LookupFunction } from 'node:net';
import { seconds } from '../../../workflows/operation/duration.ts';
import type { Address } from '../../endpoint-address/resolve-endpoint.ts';

/** Bytes. What a receiver says beside its status is of no use to us. */
const longestAnswer = 64 * 1024;
/** How long it may say it. Milliseconds: the connection is not used again, so nothing waits for its end. */
const answerPatience = seconds(1);

/** 101: the connection is no longer HTTP. */
const switching = 101;

type Post = {
  readonly url: URL;
  /** Connected to as they are. The name of the URL stands in `Host` and is what the certificate has to be for. */
  readonly addresses: readonly Address[];
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
  readonly signal: AbortSignal;
};

/** What a receiver has answered. */
export type Answered = { readonly status: number; readonly headers: Headers };

/**
 * Sends one POST over a connection of its own, and follows no redirect.
 * @throws where no status has come
 */
export async function postOnce({ url, addresses, headers, body, signal }: Post): Promise<Answered> {
  const { promise: answered, resolve, reject } = Promise.withResolvers<IncomingMessage>();
  const options: RequestOptions = {
    method: 'POST',
    headers: { ...headers, 'content-length': `${Buffer.byteLength(body)}` },
    lookup: fixed(addresses),
    // A connection that is kept could outlive the check of its address.
    agent: false,
    signal,
  };
  const request = url.protocol === 'https:' ? requestByHttps(url, options) : requestByHttp(url, options);
  // Also after the answer: a connection that breaks then has no other listener.
  request.on('response', resolve).on('error', reject);
  // A receiver that switches protocols gives no response, and without these two listeners no error either.
  request.on('upgrade', (response, socket) => {
    socket.destroy();
    resolve(response);
  });
  request.on('close', () => reject(new Error('The connection was closed.')));
  request.end(body);
  const response = await answered;
  if (response.statusCode !== switching) await discard(response);
  const { statusCode = 0, headers: said } = response;
  const named = ['retry-after', 'date'].flatMap((name) => (typeof said[name] === 'string' ? [[name, said[name]]] : []));
  return { status: statusCode, headers: new Headers(named as [string, string][]) };
}

/** Never asks a name server: what was checked is what is connected to. */
function fixed(addresses: readonly Address[]): LookupFunction {
  return (_name, { all }, callback) => {
    const [first] = addresses;
    if (all === true) return callback(null, [...addresses]);
    if (first === undefined) return callback(new Error('no address'), '', 4);
    callback(null, first.address, first.family);
  };
}

/** The status has come, and it decides: an answer that hangs, breaks off or never ends says nothing more. */
async function discard(response: IncomingMessage): Promise<void> {
  const late = setTimeout(() => response.destroy(), answerPatience);
  let length = 0;
  try {
    for await (const piece of response) {
      length += (piece as Buffer).length;
      // Leaving the loop ends the connection.
      if (length >= longestAnswer) return;
    }
  } catch {
    return;
  } finally {
    clearTimeout(late);
  }
}
