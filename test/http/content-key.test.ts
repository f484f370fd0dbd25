import { randomBytes } from 'node:crypto';
import { setTimeout as pause } from 'node:timers/promises';
import pg from 'pg';
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import { databaseNamed, dropDatabase } from '../support/database-named.ts';
import { doorHere } from '../support/door-here.ts';
import { enquiryRegistration, messageTable } from '../flows/enquiry/enquiry-activities.ts';
import { enquiryFlow } from '../flows/enquiry/enquiry.flow.ts';

const name = `content${randomBytes(4).toString('hex')}`;
let sql: pg.Pool;
let doors: readonly Awaited<ReturnType<typeof doorHere>>[];

beforeAll(async () => {
  const ground = inject('ground');
  const url = await databaseNamed(ground.postgresUrl, name, ground.template);
  sql = new pg.Pool({ connectionString: url, max: 2 });
  await sql.query(messageTable);
  doors = await Promise.all([1, 2].map(() => doorHere(ground, url, [enquiryRegistration])));
});
afterAll(async () => {
  await Promise.all(doors.map((door) => door.close()));
  await sql.end();
  await dropDatabase(inject('ground').postgresUrl, name);
});

type Document = {
  readonly flows: readonly { readonly key: object }[];
  readonly paths: Record<string, { readonly post: { readonly parameters: { name: string; required?: boolean }[] } }>;
};

type Sending = { readonly door?: number; readonly subject?: string; readonly key?: string; readonly page?: string };

async function send(words: string, { door = 0, subject = 'ann', key, page }: Sending = {}) {
  const answer = await fetch(`${doors[door]?.url}/v1/enquiries`, {
    method: 'POST',
    headers: {
      ...{ authorization: `Bearer ${subject}`, 'content-type': 'application/json' },
      ...(key === undefined ? {} : { 'idempotency-key': key }),
    },
    body: JSON.stringify({ words, ...(page === undefined ? {} : { page }) }),
  });
  const body = (await answer.json()) as Record<string, string>;
  return { status: answer.status, headers: Object.fromEntries(answer.headers), body };
}

async function messages(words: string): Promise<number> {
  return (await sql.query('select 1 from enquiry.message where words = $1', [words])).rowCount ?? 0;
}

/** Moves the end of a content's window, by PostgreSQL's clock. */
async function endWindow(words: string, inMilliseconds: number): Promise<void> {
  const anchors = await sql.query(
    `update hapax.content_anchor set until = clock_timestamp() + $2 * interval '1 millisecond'
     where digest = (select fingerprint from hapax.operation where request->>'words' = $1 limit 1)`,
    [words, inMilliseconds],
  );
  expect(anchors.rowCount).toBe(1);
}

let crowds = 0;

/**
 * Sends words that came before only here, and looks at what came of them where all of it took less than their window. A machine
 * that stood still for a whole window proves nothing: then other words are sent.
 */
async function withinWindow(work: (words: string) => Promise<() => Promise<void>>): Promise<void> {
  const { window } = enquiryFlow.contentKey ?? expect.unreachable();
  for (;;) {
    const begun = performance.now();
    const look = await work(`a crowd ${(crowds += 1)}`);
    if (performance.now() - begun < window - 100) return await look();
  }
}

describe('a request without a key, to a flow that takes its content for one', () => {
  it('is one operation for equal content, and its answer names the key', async () => {
    const first = await send('one');
    await endWindow('one', 60_000);
    expect([first.status, first.headers['idempotency-status']]).toEqual([201, 'created']);
    const again = await send('one', { door: 1, page: '/contact' });
    expect([again.status, again.body]).toEqual([201, first.body]);
    expect(again.headers['idempotency-status']).toBe('replayed');
    const key = first.headers['idempotency-key'] as string;
    expect(again.headers['idempotency-key']).toBe(key);
    expect((await send('one', { key })).body).toEqual(first.body);
    expect(await messages('one')).toBe(1);
  });

  it('is one operation when many come at once, at two processes', async () => {
    await withinWindow(async (words) => {
      const crowd = await Promise.all(Array.from({ length: 40 }, (_, n) => send(words, { door: n % 2 })));
      return async () => {
        expect(new Set(crowd.map(({ body }) => body.messageId)).size).toBe(1);
        expect(await messages(words)).toBe(1);
      };
    });
  });

  it('is another operation for other words and for another person', async () => {
    const ids = [await send('two'), await send('three'), await send('two', { subject: 'bob' })].map(
      ({ body }) => body.id,
    );
    expect(new Set(ids).size).toBe(3);
  });

  it('with a key has that one, and an unsound key is refused', async () => {
    const keyed = [await send('keyed', { key: 'k-1' }), await send('keyed', { key: 'k-2' })];
    expect(new Set(keyed.map(({ body }) => body.id)).size).toBe(2);
    expect((await send('keyed', { key: 'a,b' })).body.code).toBe('key-malformed');
    expect((await send('other words', { key: 'k-1' })).body.code).toBe('key-reused');
  });
});

describe('a plain HTML form', () => {
  const post = async (fields: Readonly<Record<string, string>>, headers: Readonly<Record<string, string>> = {}) => {
    const body = new URLSearchParams(fields);
    const ask = { method: 'POST', body, headers: { authorization: 'Bearer ann', ...headers } };
    const answer = await fetch(`${doors[0]?.url}/v1/enquiries`, ask);
    return {
      status: answer.status,
      headers: Object.fromEntries(answer.headers),
      body: (await answer.json()) as Record<string, string>,
    };
  };

  it('is the same request as JSON: its field idempotency_key is the header, and what was left empty is left out', async () => {
    const words = 'Grüße & more = 100 %, a+b\r\nsecond line';
    const first = await post({ words, page: '', idempotency_key: 'form-1' });
    expect([first.status, first.headers['idempotency-status']]).toEqual([201, 'created']);
    expect(first.headers['idempotency-key']).toBe('form-1');
    expect(first.headers['content-type']).toMatch(/^application\/json/);
    const others = [
      await send(words, { key: 'form-1' }),
      await post({ words }, { 'idempotency-key': 'form-1' }),
      await post({ words, idempotency_key: '"form-1"' }, { 'idempotency-key': 'form-1' }),
    ];
    for (const { body, headers } of others)
      expect([body, headers['idempotency-status']]).toEqual([first.body, 'replayed']);
    expect(await messages(words)).toBe(1);
    expect((await post({ words: 'others', idempotency_key: 'form-1' })).body.code).toBe('key-reused');
  });

  it('that names two keys is refused, and one without any has the key of its content', async () => {
    const refused = await post({ words: 'two keys', idempotency_key: 'form-2' }, { 'idempotency-key': 'form-3' });
    expect([refused.status, refused.body.code, await messages('two keys')]).toEqual([400, 'key-malformed', 0]);
    const [first, again] = [await post({ words: 'no key' }), await send('no key')];
    expect([first.status, again.body]).toEqual([201, first.body]);
    expect(again.headers['idempotency-key']).toBe(first.headers['idempotency-key']);
  });
});

describe('the window of a content', () => {
  it('has no edges by the clock: on both sides of one there is the same operation', async () => {
    const { window } = enquiryFlow.contentKey ?? expect.unreachable();
    await send('warm up');
    // Just before a multiple of the window, where windows by the clock would end.
    const edge = Math.ceil((Date.now() + 50) / window) * window;
    await pause(edge - 20 - Date.now());
    const before = await send('edge');
    await pause(Math.max(0, edge + 1 - Date.now()));
    const after = await send('edge', { door: 1 });
    // A machine that stood still for the whole window proves nothing.
    if (Date.now() - edge > window - 100) return;
    expect(after.body).toEqual(before.body);
    expect(after.headers['idempotency-status']).toBe('replayed');
  });

  it('begins with the first arrival, and does not move with the duplicates', async () => {
    await send('fixed');
    await endWindow('fixed', 60_000);
    const until = async () =>
      (
        await sql.query(
          `select until from hapax.content_anchor
           where digest = (select fingerprint from hapax.operation where request->>'words' = 'fixed' limit 1)`,
        )
      ).rows;
    const before = await until();
    expect(before).toHaveLength(1);
    await send('fixed');
    expect(await until()).toEqual(before);
  });

  it('ends to the millisecond, and then one of many begins the next operation', async () => {
    await withinWindow(async (words) => {
      const first = await send(words);
      await endWindow(words, 60_000);
      expect((await send(words)).body).toEqual(first.body);
      await endWindow(words, 0);
      const crowd = await Promise.all(Array.from({ length: 30 }, (_, n) => send(words, { door: n % 2 })));
      return async () => {
        const ids = new Set(crowd.map(({ body }) => body.id));
        expect([ids.size, ids.has(first.body.id as string)]).toEqual([1, false]);
        expect(await messages(words)).toBe(2);
      };
    });
  });
});

it('the configuration and the documents say that the key may be left out, and for how long content counts', async () => {
  const read = async (path: string) => (await (await fetch(`${doors[0]?.url}${path}`)).json()) as Document;
  const { flows } = await read('/v1/config');
  expect(flows[0]?.key).toMatchObject({ required: false, contentWindow: { iso8601: 'PT3S', seconds: 3 } });
  const { parameters } = (await read('/openapi.json')).paths['/v1/enquiries']?.post ?? expect.unreachable();
  const header = parameters.find(({ name: one }) => one === 'idempotency-key');
  expect([header?.name, header?.required ?? false]).toEqual(['idempotency-key', false]);
});
