import { randomBytes, randomUUID } from 'node:crypto';
import { Agent, type IncomingHttpHeaders, request } from 'node:http';
import pg from 'pg';
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
export async function small(server: string, bodies: readonly Buffer[], atOnce: number): Promise<number> {
  const begun = performance.now();
  await eachAtOnce(atOnce, bodies, async (body) => await patch(await create(server, body.length), 0, body));
  return (bodies.length * 1_000) / (performance.now() - begun);
}

/** Of 64 KiB. Each is another content. */
export function smallBodies(count: number): readonly Buffer[] {
  return Array.from({ length: count }, () => randomBytes(64 * 1024));
}

/** Waits until the stories have ended, so that nobody's work is charged to somebody else. */
export async function drained(url: string): Promise<void> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  for (;;) {
    const { rows } = await client.query<{ open: number }>(
      `select count(*)::int as open from hapax.operation where flow = 'upload' and settled_at is null and state <> 'waiting'`,
    );
    if (rows[0]?.open === 0) break;
    await new Promise((resolve) => setTimeout(resolve, 200));
  }
  await client.end();
}

/** @returns bytes a millisecond, of one large upload in equal PATCHes */
export async function large(server: string, size: number, piece: Uint8Array): Promise<number> {
  const url = await create(server, size);
  const begun = performance.now();
  for (let at = 0; at < size; at += piece.length) await patch(url, at, piece.subarray(0, size - at));
  return size / (performance.now() - begun);
}
