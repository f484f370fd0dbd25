import { once } from 'node:events';
import { readdir, readFile } from 'node:fs/promises';
import { connect, type Socket } from 'node:net';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, inject, it, onTestFinished } from 'vitest';
import { EventsTokens } from '../../activities/seal/events-tokens.ts';
import { KeyRing } from '../../activities/seal/key-ring.ts';
import { checkoutId, holdConfirm, release, untilHeld } from '../conformance/held.ts';
import { deafLine } from '../support/deaf-line.ts';
import { EventReader } from '../support/event-reader.ts';
import { newKey } from '../support/keys-command.ts';
import type { ProcessHandle } from '../support/process-handle.ts';
import { sealKeys } from '../support/seal-keys.ts';
import { Uploader } from '../support/uploader.ts';
import { World } from '../support/world.ts';

let world: World;
let uploader: Uploader;
/** The second HTTP API hears no notification: each is lost. */
let deaf: Awaited<ReturnType<typeof deafLine>>;
beforeAll(async () => {
  // Everything is logged, so that what must not be in a log would be.
  const env = { HAPAX_API_KEYS: 'on', HAPAX_LOG_LEVEL: 'trace' };
  world = await World.create(inject('ground'), { env, upkeep: false });
  uploader = await Uploader.of(world);
  deaf = await deafLine(world.databaseUrl);
  world.doors.push(await world.start('workers/http.ts', { DATABASE_URL: deaf.url }));
});
afterAll(async () => {
  await uploader.close();
  await world.close();
  await deaf.close();
});

const addressOf = (door = 0) => (world.doors[door] as ProcessHandle).address;
const eventsUrl = (id: string, door = 0) => `${addressOf(door)}/v1/operations/${id}/events`;

type Following = { readonly token?: string; readonly last?: string; readonly door?: number };

async function follow(id: string, { token = 'local-alpha', last, door }: Following = {}): Promise<EventReader> {
  const reader = await EventReader.open(eventsUrl(id, door), {
    authorization: `Bearer ${token}`,
    ...(last === undefined ? {} : { 'last-event-id': last }),
  });
  onTestFinished(() => reader.leave());
  return reader;
}

/** An upload that waits for its bytes: nothing happens to it. */
async function waiting(key: string): Promise<string> {
  return (await uploader.announced(key, Buffer.from('abc'))).id;
}

const tokenOf = async (id: string, token?: string) =>
  await world.ask('GET', `/v1/operations/${id}/events-token`, token === undefined ? {} : { token });
const statusWith = async (url: string) => {
  const response = await fetch(url);
  await response.body?.cancel();
  return response.status;
};
const states = ({ events }: EventReader) => events.map(({ json }) => json.state as string);
const grow = ({ events }: EventReader) =>
  events.map(({ id }) => Number(id)).every((id, n, all) => n === 0 || id > (all[n - 1] ?? id));
const some = async (reader: EventReader, count = 1) =>
  await world.until(`${count} events`, async () => reader.events.length >= count);

describe('the events of an operation', () => {
  it('are its states as GET shows them, from the first at once to the last, which ends the stream', async () => {
    const id = await holdConfirm(world, 'followed');
    const asked = world.checkout('followed', {}, { headers: { prefer: 'wait=0' } });
    await untilHeld(world, 'followed');
    const reader = await follow(id);
    const { headers, status } = reader.response;
    expect([status, headers.get('content-type')]).toEqual([200, 'text/event-stream; charset=utf-8']);
    expect([headers.get('cache-control'), headers.get('x-accel-buffering')]).toEqual(['no-store', 'no']);
    await some(reader);
    expect(reader.events[0]).toMatchObject({
      event: 'state',
      data: (await world.ask('GET', `/v1/operations/${id}`)).text,
    });
    await release(world);
    await asked;
    await reader.ended;
    expect([states(reader)[0], states(reader).at(-1), grow(reader)]).toEqual(['running', 'succeeded', true]);
    expect(reader.events.at(-1)?.data).toBe((await world.ask('GET', `/v1/operations/${id}`)).text);
    expect(reader.others[0]).toMatch(/^retry: \d{4}$/);
  });

  it('go on behind Last-Event-ID, at any process, and a reader that has the last is told not to come back', async () => {
    const id = await waiting('goes on');
    const reader = await follow(id);
    await some(reader);
    reader.leave();
    const first = reader.events[0]?.id as string;
    const later = await follow(id, { last: first, door: 1 });
    expect((await world.ask('POST', `/v1/operations/${id}/cancel`)).status).toBe(202);
    await later.ended;
    expect([states(later).at(-1), grow(later)]).toEqual(['cancelled', true]);
    // Nothing that it has had comes again.
    expect(later.events.filter(({ data }) => data === reader.events[0]?.data)).toEqual([]);
    for (const event of later.events) expect(Number(event.id)).toBeGreaterThan(Number(first));
    const last = later.events.at(-1)?.id as string;
    expect(Number(last)).toBeGreaterThan(Number(first));
    expect((await follow(id, { last })).response.status).toBe(204);
    // What is no id of this ledger counts as none: the reader gets the state.
    for (const odd of [first, '999999', '-1', 'odd', '9'.repeat(300)]) {
      const again = await follow(id, { last: odd });
      await again.ended;
      expect([odd, states(again), again.events[0]?.id]).toEqual([odd, ['cancelled'], last]);
    }
  });

  it('come within seconds where each notification is lost, and where none is sent', async () => {
    const id = await waiting('lost news');
    const reader = await follow(id, { door: 1 });
    await some(reader);
    // A change between two states is told by no notification.
    await world.sql(`update hapax.step set attempt = attempt + 1 where operation_id = $1`, id);
    await some(reader, 2);
    await world.ask('POST', `/v1/operations/${id}/cancel`);
    await reader.ended;
    expect([states(reader).at(-1), grow(reader)]).toEqual(['cancelled', true]);
  });

  it('come again, under the same id, with what the provider was too slow to say', async () => {
    const id = checkoutId(world, 'slow bank');
    const match = { method: 'GET', path: '/v1/payment_intents/', operation: id };
    await world.faults([{ match, times: 1_000, fault: 'reset' }]);
    const asked = await world.checkout('slow bank', { paymentMethod: 'pm_card_threeDSecure2Required' });
    expect([asked.status, asked.json.awaits, asked.json.nextAction]).toEqual([202, 'authenticate', undefined]);
    const reader = await follow(id);
    await some(reader);
    await world.sandboxControl('DELETE', 'faults');
    await some(reader, 2);
    const [first, second] = reader.events;
    expect([first?.json.nextAction, second?.id]).toEqual([undefined, first?.id]);
    expect(second?.json).toMatchObject({ awaits: 'authenticate', nextAction: { type: 'redirect' } });
    // It came before the first heartbeat.
    expect(reader.others).toEqual([expect.stringMatching(/^retry/)]);
    await world.ask('POST', `/v1/operations/${id}/cancel`);
    await reader.ended;
    expect(states(reader).at(-1)).toBe('cancelled');
  });

  it('hold no connection to PostgreSQL, and leave room for others: the 1,001st stream is refused, and so is the 101st of a caller', async () => {
    const door = await world.start('workers/http.ts');
    const { hostname, port } = new URL(door.address);
    const id = await waiting('a crowd');
    const sockets: Socket[] = [];
    onTestFinished(() => sockets.forEach((socket) => socket.destroy()));
    // Readers that never read: Node reads the status line, and then nothing.
    const open = async (token: string): Promise<string> => {
      const socket = connect(Number(port), hostname);
      sockets.push(socket);
      socket.on('error', () => undefined);
      socket.write(`GET /v1/operations/${id}/events HTTP/1.1\r\nHost: door\r\nAuthorization: Bearer ${token}\r\n\r\n`);
      const [head] = (await once(socket, 'data')) as [Buffer];
      socket.pause();
      return head.toString().slice('HTTP/1.1 '.length, 'HTTP/1.1 200'.length);
    };
    for (let caller = 0; caller < 10; caller += 1) {
      const opened = await Promise.all(Array.from({ length: 100 }, () => open(`operator-alpha.s${caller}`)));
      expect([caller, new Set(opened)]).toEqual([caller, new Set(['200'])]);
    }
    expect([await open('operator-alpha.s0'), await open('operator-alpha.s10')]).toEqual(['429', '503']);
    const metrics = async () => await (await fetch(`${door.address}/metrics`)).text();
    expect(await metrics()).toContain('hapax_event_streams 1000');
    const ask = { headers: { authorization: 'Bearer operator-alpha.s10' } };
    const refused = (await (await fetch(`${door.address}/v1/operations/${id}/events`, ask)).json()) as object;
    expect(refused).toMatchObject({
      code: 'overloaded',
      retryAfter: 5,
      detail: expect.stringContaining('Prefer: wait'),
    });
    // Others are answered meanwhile, and the pool has not grown.
    expect((await fetch(`${door.address}/v1/operations/${id}`, ask)).status).toBe(200);
    const [{ n } = { n: 0 }] = await world.sql<{ n: number }>(
      `select count(*)::integer as n from pg_stat_activity where datname = current_database() and application_name like 'hapax%'`,
    );
    expect(n).toBeLessThan(100);
    await world.ask('POST', `/v1/operations/${id}/cancel`);
    await world.until('all have ended', async () => (await metrics()).includes('hapax_event_streams 0'));
  });

  it('end as HTTP has it when their process is told to stop, and go on at another one', async () => {
    const door = await world.start('workers/http.ts');
    world.doors[2] = door;
    const id = await waiting('a deploy');
    const reader = await follow(id, { door: 2 });
    await some(reader);
    door.signal('SIGTERM');
    // What is still open when the process's time to stop is over is cut off: then this rejects.
    await reader.ended;
    await door.gone();
    const later = await follow(id, { last: reader.events[0]?.id as string });
    await world.ask('POST', `/v1/operations/${id}/cancel`);
    await later.ended;
    expect(states(later).at(-1)).toBe('cancelled');
  });

  it('are for those who may see the operation, for as long as they may', async () => {
    const id = await waiting('whose');
    for (const [token, status] of [
      ['local-alpha.other', 404],
      ['local-beta', 404],
      ['live-alpha', 404],
      ['operator-alpha', 200],
      ['nobodys', 401],
    ] as const)
      expect([token, (await follow(id, { token })).response.status]).toEqual([token, status]);
    expect((await world.ask('HEAD', `/v1/operations/${id}/events`)).status).toBe(405);
    const key = await newKey(world, world.tenants.alpha, 'default');
    const reader = await follow(id, { token: key });
    await some(reader);
    await world.sql('update hapax.api_key set revoked_at = now() where prefix = $1', key.split('_')[2]);
    // No process trusts a key for longer than a second.
    await new Promise((resolve) => setTimeout(resolve, 1_100));
    await world.sql(`update hapax.step set attempt = attempt + 1 where operation_id = $1`, id);
    await reader.ended;
    expect(reader.events).toHaveLength(1);
  });

  it('show what GET shows its caller: what steps have given is for people', async () => {
    const { id } = (await world.checkout('for people')).json;
    for (const token of ['local-alpha', 'operator-alpha']) {
      const reader = await follow(id, { token });
      await reader.ended;
      expect(reader.events.map(({ data }) => data)).toEqual([
        (await world.ask('GET', `/v1/operations/${id}`, { token })).text,
      ]);
    }
  });
});

describe('an events token', () => {
  it('opens the stream of its operation without a header, and shows what its caller sees', async () => {
    const { id } = (await world.checkout('by token')).json;
    const issued = await tokenOf(id);
    expect([issued.status, issued.headers.get('cache-control')]).toEqual([200, 'no-store']);
    const lives = Date.parse(issued.json.expiresAt) - Date.now();
    expect([lives > 9 * 60_000, lives <= 10 * 60_000]).toEqual([true, true]);
    const reader = await EventReader.open(`${eventsUrl(id)}?token=${issued.json.token}`);
    await reader.ended;
    expect(reader.events.map(({ data }) => data)).toEqual([(await world.ask('GET', `/v1/operations/${id}`)).text]);
  });

  it('opens nothing else: no other operation, no other route, nothing once it has expired', async () => {
    const id = await waiting('token');
    const other = await waiting('another');
    const { token } = (await tokenOf(id)).json as { token: string };
    const expired = new EventsTokens(KeyRing.read(sealKeys)).issue(
      { tenant: world.tenants.alpha, environment: 'test', subject: 'default', role: 'caller', operation: id },
      Date.now() - 1,
    );
    const foreign = (
      await tokenOf(
        (
          await world.ask('POST', '/v1/checkouts', { key: 'of beta', token: 'local-beta', body: world.cart('of beta') })
        ).json.id,
        'local-beta',
      )
    ).json.token as string;
    const asked: readonly (readonly [string, string])[] = [
      ['another operation', `${eventsUrl(other)}?token=${token}`],
      ['an expired token', `${eventsUrl(id)}?token=${expired}`],
      ["another tenant's token", `${eventsUrl(id)}?token=${foreign}`],
      ['a changed token', `${eventsUrl(id)}?token=${token.replace('hpe_W', 'hpe_X')}`],
      ['two tokens', `${eventsUrl(id)}?token=${token}&token=${token}`],
      ['no token', `${eventsUrl(id)}?token=`],
      ['another parameter', `${eventsUrl(id)}?access_token=${token}`],
      ['the operation', `${addressOf()}/v1/operations/${id}?token=${token}`],
      ['a list', `${addressOf()}/v1/operations?token=${token}`],
      ['a new token', `${addressOf()}/v1/operations/${id}/events-token?token=${token}`],
    ];
    for (const [what, url] of asked) expect([what, await statusWith(url)]).toEqual([what, 401]);
    // As a bearer it is nobody's.
    expect((await world.ask('GET', `/v1/operations/${id}`, { token })).status).toBe(401);
    expect((await follow(id, { token })).response.status).toBe(401);
    expect((await world.ask('POST', `/v1/operations/${id}/cancel?token=${token}`, { token: null })).status).toBe(401);
    // Who may not see the operation gets none.
    for (const stranger of ['local-alpha.other', 'local-beta']) expect((await tokenOf(id, stranger)).status).toBe(404);
  });

  it("gives a viewer's screen no way to act: it shows no more than the viewer sees", async () => {
    const id = await waiting('viewed');
    const { token } = (await tokenOf(id, 'operator-alpha.someone')).json as { token: string };
    const reader = await EventReader.open(`${eventsUrl(id)}?token=${token}`);
    onTestFinished(() => reader.leave());
    await some(reader);
    expect(reader.events[0]?.json.transfer).toBeUndefined();
    const own = await follow(id);
    await some(own);
    expect(own.events[0]?.json.transfer).toBeDefined();
  });

  it('stands in no log, row, metric or answer, also where a request or a stream fails by a fault of ours', async () => {
    const { id } = (await world.checkout('secret')).json;
    const { token } = (await tokenOf(id)).json as { token: string };
    const secret = token.split('~')[2] as string;
    const told = [
      await (await fetch(`${eventsUrl(id)}?token=${token}`)).text(),
      await (await fetch(`${eventsUrl(id)}?token=${token}x`)).text(),
      await (await fetch(`${addressOf()}/v1/nowhere?token=${token}`)).text(),
    ];
    // Where our own side fails, an error is logged with all that it quotes: of a stream, and of a request for one.
    const open = await waiting('failing');
    const url = `${eventsUrl(open)}?token=${(await tokenOf(open)).json.token as string}`;
    const reader = await EventReader.open(url);
    onTestFinished(() => reader.leave());
    await some(reader);
    await world.sql('alter view hapax.trouble_now rename to trouble_out_of_sight');
    try {
      await world.sql(`update hapax.step set attempt = attempt + 1 where operation_id = $1`, open);
      await reader.ended;
      const failed = await fetch(url);
      expect(failed.status).toBe(500);
      told.push(await failed.text());
    } finally {
      await world.sql('alter view hapax.trouble_out_of_sight rename to trouble_now');
    }
    const logs = await world.until('both failures are logged', async () => {
      const files = (await readdir(world.directory)).filter((file) => file.endsWith('.log'));
      const texts = await Promise.all(files.map((file) => readFile(join(world.directory, file), 'utf8')));
      const text = texts.join('');
      return text.includes('an event stream failed') && text.includes('a request failed') && text;
    });
    const metrics = (await world.ask('GET', '/metrics', { token: null })).text;
    const secrets = [secret, new URL(url).searchParams.get('token')?.split('~')[2] as string];
    for (const [where, text] of Object.entries({ logs, metrics, told: told.join('') }))
      expect([where, secrets.some((one) => text.includes(one))]).toEqual([where, false]);
  });
});

describe('the operations that a subject has not finished', () => {
  it('are listed for it alone, newest first, page by page, and found by an index', async () => {
    const caller = { token: 'local-alpha.forgetful' };
    const announce = async (key: string) => (await uploader.announced(key, Buffer.from('abc'), {}, caller)).id;
    const ids = [await announce('one'), await announce('two'), await announce('three')];
    const { id: paid } = (await world.checkout('finished', {}, caller)).json as { id: string };
    await world.ask('POST', `/v1/operations/${ids[1]}/cancel`, caller);
    await world.until('it has ended', async () => (await world.state(ids[1] as string)) === 'cancelled');
    const list = async (query: string, token = caller.token) =>
      (await world.ask('GET', `/v1/operations?${query}`, { token })).json as {
        operations: { id: string }[];
        next?: string;
      };
    const first = await list('state=open&limit=1');
    const second = await list(`state=open&limit=1&after=${first.next}`);
    const open = [...first.operations, ...second.operations].map(({ id }) => id);
    expect(open).toEqual([ids[2], ids[0]]);
    expect((await list('state=open')).operations.map(({ id }) => id)).toEqual(open);
    expect((await list('state=settled')).operations.map(({ id }) => id)).toEqual([paid, ids[1]]);
    expect((await list('state=open', 'local-alpha.mindful')).operations).toEqual([]);
    // Among many that have ended, which triggers would not let in.
    await world.sql(`set local session_replication_role = replica;
      insert into hapax.operation (id, tenant, environment, subject, key_subject, flow, flow_version, key, generation, fingerprint,
        fingerprint_version, request, request_id, state, settled_at, answer_expires_at, tombstone_until)
      select 'op_' || lpad(n::text, 26, '0'), '${world.tenants.alpha}', 'test', 'busy', 'busy', 'upload', 1, n::text, 1, '', 1, '{}', '',
        'cancelled', now(), now() + interval '1 day', now() + interval '2 days'
      from generate_series(1, 5000) n`);
    await world.sql('analyze hapax.operation');
    const used = async () =>
      Number(
        (
          await world.sql<{ n: string }>(
            `select idx_scan as n from pg_stat_user_indexes where indexrelname = 'operation_open_of_subject'`,
          )
        )[0]?.n,
      );
    await world.until('PostgreSQL has counted the look', async () => {
      await list('state=open');
      return (await used()) > 0;
    });
  });
});
