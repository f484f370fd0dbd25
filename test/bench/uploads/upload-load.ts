import { randomBytes, randomUUID } from 'node:crypto';
import { Agent, type IncomingHttpHeaders, request } from 'node:http';
import { eachAtOnce } from '../../support/each-at-once.ts';

type Told = { readonly status: number; readonly headers: IncomingHttpHeaders; readonly text: string };

const agent = new Agent({ keepAlive: true, maxSockets: 64 });
const tus = { 'tus-resumable': '1.0.0', authorization: 'Bearer local-alpha' };

/** One request over kept connections, since the bench measures servers and not handshakes. */
export async function ask(
  url: string,
  method: string,
  headers: Record<string, string | number>,
  body?: Uint8Array,
  most = 200_000,
): Promise<Told> {
  return await new Promise((resolve, reject) => {
    const sent = request(url, { method, agent, headers, timeout: most }, (answer) => {
      let text = '';
      answer.setEncoding('utf8');
      answer.on('data', (piece: string) => {
        text += piece;
      });
      answer.on('end', () => resolve({ status: answer.statusCode ?? 0, headers: answer.headers, text }));
    });
    sent.on('error', reject);
    sent.end(body);
  });
}

/** Creates an upload by tus. Ours needs a key; the peer does not read it. */
export async function create(server: string, size: number): Promise<string> {
  for (;;) {
    const key = randomUUID();
    const told = await ask(`${server}/v1/tus`, 'POST', {
      ...tus,
      'idempotency-key': key,
      'upload-length': size,
      'content-length': 0,
    });
    if (told.status === 201) return told.headers.location ?? '';
    // A crowd is asked to come again.
    if (told.status !== 503 && told.status !== 429) throw new Error(`Not created: ${told.status} ${told.text}`);
    await new Promise((resolve) => setTimeout(resolve, 1_000 * Number(told.headers['retry-after'] ?? 1)));
  }
}

export async function patch(url: string, offset: number, bytes: Uint8Array): Promise<void> {
  const headers = {
    ...tus,
    'upload-offset': offset,
    'content-type': 'application/offset+octet-stream',
    'content-length': bytes.length,
  };
  const told = await ask(url, 'PATCH', headers, bytes);
  if (told.status !== 204) throw new Error(`Not taken: ${told.status} ${told.text}`);
}

export async function head(url: string): Promise<number> {
  return Number((await ask(url, 'HEAD', tus)).headers['upload-offset']);
}

/** @returns uploads a second, of small ones that are created and sent */
export async function small(server: string, count: number, atOnce: number, bytes: number): Promise<number> {
  const body = randomBytes(bytes);
  const begun = performance.now();
  await eachAtOnce(atOnce, [...Array(count).keys()], async (number) => {
    // Each is another content.
    const own = Buffer.from(body);
    own.writeUInt32LE(number, 0);
    await patch(await create(server, own.length), 0, own);
  });
  return (count * 1_000) / (performance.now() - begun);
}

/** @returns bytes a millisecond, of one large upload in equal PATCHes */
export async function large(server: string, size: number, piece: Uint8Array): Promise<number> {
  const url = await create(server, size);
  const begun = performance.now();
  for (let at = 0; at < size; at += piece.length) await patch(url, at, piece.subarray(0, size - at));
  return size / (performance.now() - begun);
}
