import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { type IncomingMessage, request } from 'node:http';
import { connect } from 'node:net';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, inject, it, onTestFinished, test } from 'vitest';
import { Nginx, type NginxHabit, nginxBinary } from '../support/nginx.ts';
import { Uploader } from '../support/uploader.ts';
import { World } from '../support/world.ts';
import { type Manner, sendLarge } from './large-request.ts';

const MB = 1_000_000;
const sizes = [1 * MB, 6 * MB, 30 * MB];

let world: World;
let uploader: Uploader;
let door: string;
/** An upload that waits for 1,000 bytes. */
let waiting: string;
beforeAll(async () => {
  world = await World.create(inject('ground'), { upkeep: false });
  uploader = await Uploader.of(world);
  door = (world.doors[0] as { address: string }).address;
  waiting = (await uploader.announced('waiting', randomBytes(1_000))).id;
});
afterAll(async () => {
  await uploader.close();
  await world.close();
});

type Refused = {
  readonly what: string;
  readonly method: 'PUT' | 'POST';
  readonly path: () => string;
  readonly headers: readonly string[];
  readonly status: number;
  readonly code: string;
};
const token = 'Authorization: Bearer local-alpha';
const json = 'Content-Type: application/json';
const content = (id: string) => `/v1/uploads/${id}/content`;
const nobody = `op_${'0'.repeat(26)}`;
const refusals: readonly Refused[] = [
  {
    what: 'a PUT without a token',
    method: 'PUT',
    path: () => content(waiting),
    headers: [],
    status: 401,
    code: 'unauthenticated',
  },
  {
    what: 'a POST without a token',
    method: 'POST',
    path: () => '/v1/checkouts',
    headers: [json],
    status: 401,
    code: 'unauthenticated',
  },
  {
    what: 'the bytes of an unknown upload',
    method: 'PUT',
    path: () => content(nobody),
    headers: [token],
    status: 404,
    code: 'not-found',
  },
  {
    what: 'a POST to nothing',
    method: 'POST',
    path: () => '/v1/nothing',
    headers: [token, json],
    status: 404,
    code: 'not-found',
  },
  {
    what: 'a method that is not allowed',
    method: 'PUT',
    path: () => '/v1/operations',
    headers: [token],
    status: 405,
    code: 'method-not-allowed',
  },
  {
    what: 'a POST that is too large',
    method: 'POST',
    path: () => '/v1/checkouts',
    headers: [token, json, 'Idempotency-Key: large'],
    status: 413,
    code: 'body-too-large',
  },
  {
    what: 'a POST of no JSON',
    method: 'POST',
    path: () => '/v1/checkouts',
    headers: [token, 'Content-Type: text/plain', 'Idempotency-Key: text'],
    status: 415,
    code: 'media-type-unsupported',
  },
  {
    what: 'bytes of another length',
    method: 'PUT',
    path: () => content(waiting),
    headers: [token],
    status: 422,
    code: 'bytes-refused',
  },
];
function head({ method, path, headers }: Refused, size: number, version: string, ...more: string[]): string[] {
  return [`${method} ${path()} ${version}`, 'Host: door', `Content-Length: ${size}`, ...headers, ...more];
}

describe('an answer that comes before a body is read arrives', () => {
  const ways = (['reads-along', 'reads-after'] as const).flatMap((manner: Manner) => [
    { manner, version: 'HTTP/1.0', more: [] },
    { manner, version: 'HTTP/1.1', more: ['Connection: close'] },
    { manner, version: 'HTTP/1.1', more: [] },
  ]);
  it.each(sizes)('over a connection of its own, of %i bytes', { timeout: 60_000 }, async (size) => {
    for (const { manner, version, more } of ways)
      await Promise.all(
        refusals.map(async (refused) => {
          const seen = await sendLarge(door, head(refused, size, version, ...more), size, manner);
          const { what, status, code } = refused;
          expect({ what, version, more, manner, ...seen }).toMatchObject({ status, code, end: 'FIN' });
          expect(seen.headers.toLowerCase()).toContain('connection: close');
        }),
      );
  });

  const habits = (['stock', 'keep-alive'] as const).flatMap((upstream) =>
    [true, false].map((buffersRequests): NginxHabit => ({ upstream, buffersRequests })),
  );
  test.runIf(nginxBinary).each(habits)(
    'through nginx: $upstream, buffers requests: $buffersRequests',
    { timeout: 60_000 },
    async (habit) => {
      const nginx = await Nginx.to(door, habit, join(world.directory, 'nginx'));
      onTestFinished(() => nginx.close());
      for (const size of sizes)
        for (const more of [['Connection: close'], []])
          await Promise.all(
            refusals.map(async (refused) => {
              const request = head(refused, size, 'HTTP/1.1', ...more);
              const seen = await sendLarge(nginx.url, request, size, 'reads-along', 'answer');
              const { what, status, code } = refused;
              expect({ what, size, more, ...seen }).toMatchObject({ status, code });
            }),
          );
    },
  );
});

describe('a caller that waits for 100 Continue', () => {
  it('is not asked for its body where it is refused without one', async () => {
    await Promise.all(
      refusals.map(async (refused) => {
        const { what, status, code } = refused;
        const request = head(refused, 6 * MB, 'HTTP/1.1', 'Expect: 100-continue');
        const seen = await sendLarge(door, request, 0, 'reads-along');
        expect({ what, ...seen }).toMatchObject({ status, code, end: 'FIN' });
      }),
    );
  });

  it('is asked for it once it is wanted, and answered when it has come', async () => {
    const bytes = randomBytes(100_000);
    const { id, transfer } = await uploader.announced('continued', bytes);
    const put = request(transfer.url, {
      method: 'PUT',
      headers: { authorization: 'Bearer local-alpha', expect: '100-continue', 'content-length': bytes.length },
    });
    put.flushHeaders();
    await once(put, 'continue');
    put.end(bytes);
    const [answer] = (await once(put, 'response')) as [IncomingMessage];
    expect(answer.resume().statusCode).toBe(200);
    expect(await uploader.objects(id)).toHaveLength(1);
  });
});

it('what follows an unread body on its connection is not taken as a request', async () => {
  const checkout = JSON.stringify(world.cart('smuggled'));
  const next = [
    'POST /v1/checkouts HTTP/1.1',
    'Host: door',
    token,
    json,
    'Idempotency-Key: smuggled',
    `Content-Length: ${checkout.length}`,
    '',
    checkout,
  ].join('\r\n');
  const [refused] = refusals as [Refused];
  const bytes = Buffer.alloc(1 * MB, 'x');
  const seen = await sendLarge(door, head(refused, bytes.length, 'HTTP/1.1'), bytes.length, 'reads-along', 'end', next);
  expect(seen).toMatchObject({ status: 401, end: 'FIN' });
  await new Promise((resolve) => setTimeout(resolve, 1_000));
  expect(await world.sql(`select from hapax.operation where key = 'smuggled'`)).toEqual([]);
});

describe.concurrent('what is read of a refused body is bounded', () => {
  it('in size: a caller that reads along has its answer, and cannot send more', { timeout: 60_000 }, async () => {
    const [refused] = refusals as [Refused];
    const size = 300 * MB;
    const seen = await sendLarge(door, head(refused, size, 'HTTP/1.1'), size, 'reads-along', 'close');
    expect(seen).toMatchObject({ status: 401, code: 'unauthenticated' });
    // 64 MiB, and what the buffers of two sockets hold.
    expect(seen.sent).toBeGreaterThan(64 * MB);
    expect(seen.sent).toBeLessThan(100 * MB);
  });

  it('in time: a caller that trickles is given up after half a minute', { timeout: 60_000 }, async () => {
    const [refused] = refusals as [Refused];
    const { hostname, port } = new URL(door);
    const caller = connect({ port: Number(port), host: hostname, allowHalfOpen: true });
    const begun = performance.now();
    caller.on('error', () => undefined).resume();
    caller.write(`${head(refused, 1 * MB, 'HTTP/1.1').join('\r\n')}\r\n\r\n`);
    let [wrote, silence] = [begun, 0];
    const trickle = setInterval(() => {
      silence = Math.max(silence, performance.now() - wrote);
      wrote = performance.now();
      caller.write('x');
    }, 1_000);
    await new Promise((resolve) => caller.once('close', resolve));
    clearInterval(trickle);
    const took = performance.now() - begun;
    // A caller that stood still itself was silent, and silence is given up after five seconds.
    if (silence < 4_000) expect(took).toBeGreaterThan(25_000);
    expect(took).toBeLessThan(55_000);
  });
});
