import { pathFor } from '../support/path-for.ts';
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Client, Connection } from '@temporalio/client';
import pg from 'pg';
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import { Database } from '../../activities/stores/postgres/database.ts';
import { type Answered, World } from '../support/world.ts';
import { allEffects, effectsOf, nothing, paidOnce } from './effects.ts';

let world: World;
beforeAll(async () => {
  // Everything is logged, so that what must not be in a log would be.
  world = await World.create(inject('ground'), { env: { HAPAX_LOG_LEVEL: 'trace', HAPAX_ANSWER_CACHE: '0' } });
  documented = await routesWithId();
});
afterAll(() => world.close());

/** Each route of the API that names an operation, by its own document: one that is added is walked too. */
let documented: (readonly [method: string, path: string])[];
const routes = (id: string) => documented.map(([method, path]) => [method, pathFor(path, id)] as const);

async function routesWithId(): Promise<typeof documented> {
  const { paths } = (await world.ask('GET', '/openapi.json', { token: null })).json as {
    paths: Record<string, object>;
  };
  const all = Object.entries(paths).flatMap(([path, methods]) =>
    Object.keys(methods).map((method) => [method.toUpperCase(), path] as const),
  );
  return all.filter(([, path]) => path.includes('{'));
}

/** An answer without what each request has of its own. */
function shape({ status, text, headers }: Answered): unknown {
  const own = /req_[0-9a-f-]{36}/g;
  return {
    status,
    text: text.replace(own, ''),
    // All of them but what each request has of its own: its id, its date, the key that it sent, and whether its connection
    // ends because a body was left unread.
    headers: [...headers].filter(
      ([name]) => !['request-id', 'date', 'idempotency-key', 'connection', 'keep-alive'].includes(name),
    ),
  };
}

describe.each([
  ['another tenant', 'local-beta', 'local-alpha'],
  ['another environment of the tenant', 'live-alpha', 'local-alpha'],
  ['another subject of the tenant', 'local-alpha.ann', 'local-alpha'],
  ['the other subject of the tenant', 'local-alpha.ann', 'local-alpha.bob'],
])('%s', (who, stranger, owner) => {
  const key = `shared with ${who}`;

  it('has an operation of its own under the same key', async () => {
    await world.sql(
      `insert into hapax.catalogue_item (tenant, environment, sku, name, price_minor, currency, stock)
       values ($1, 'live', 'mug-blue', 'Blue mug', 1250, 'eur', 100) on conflict do nothing`,
      world.tenants.alpha,
    );
    const [mine, theirs] = await Promise.all([
      world.checkout(key, { cartId: `${key} 1` }, { token: owner }),
      world.checkout(key, { cartId: `${key} 2` }, { token: stranger, body: world.cart(key, { cartId: `${key} 2` }) }),
    ]);
    expect([mine.status, theirs.status]).toEqual([201, 201]);
    expect(theirs.json.id).not.toBe(mine.json.id);
    expect(theirs.headers.get('hapax-workflow-id')).not.toBe(mine.headers.get('hapax-workflow-id'));
    expect((await effectsOf(world, key)).orders).toEqual(['paid', 'paid']);
  });

  it('sees none of it by id: every route says what it says of nobody’s', async () => {
    const mine = await world.checkout(`not owned by ${who}`, {}, { token: owner });
    expect(mine.status).toBe(201);
    expect(documented.length).toBeGreaterThanOrEqual(4);
    const nobody = `op_${'z'.repeat(26)}`;
    for (const [n, [method, path]] of routes(mine.json.id).entries()) {
      const [, missing = ''] = routes(nobody)[n] ?? [];
      const sent = { parts: [{ number: 1, sha256: '0'.repeat(64) }] };
      const body =
        method === 'PUT'
          ? { body: 'bytes', headers: { 'content-type': 'image/jpeg' } }
          : path.endsWith('/parts')
            ? { body: sent }
            : /^\/v1\/orders\/|\/resend$/.test(path)
              ? { key: `not of ${who}` }
              : {};
      const answer = await world.ask(method, path, { token: stranger, ...body });
      // Only an operator may resolve, replay or erase, and only people look at endpoints: whoever else asks is told so before
      // the operation is looked at.
      const ofPeople = /\/(resolve|replay|settle|erase)$|^\/v1\/webhook-endpoints\//.test(path);
      expect([path, answer.status]).toEqual([path, ofPeople ? 403 : 404]);
      expect(shape(answer)).toEqual(shape(await world.ask(method, missing, { token: stranger, ...body })));
    }
    expect(await world.state(mine.json.id)).toBe('succeeded');
  });

  it('sees none of it in lists', async () => {
    const query = `/v1/operations?flow=checkout&key=${encodeURIComponent(key)}`;
    const [own, foreign] = await Promise.all([
      world.ask('GET', query, { token: owner }),
      world.ask('GET', query, { token: stranger }),
    ]);
    expect(own.json.operations).toHaveLength(1);
    expect(foreign.json.operations).toHaveLength(1);
    expect(own.json.operations[0].id).not.toBe(foreign.json.operations[0].id);
  });
});

describe('a request without a right', () => {
  const garbage: (string | undefined)[] = [
    undefined,
    '',
    'Bearer',
    'Bearer ',
    'Bearer   ',
    'Bearerlocal-alpha',
    'Bearer\tlocal-alpha',
    'Bearer, local-alpha',
    'Bearer local-alpha, Bearer local-beta',
    `Bearer hpx_live_${'0'.repeat(12)}_${'0'.repeat(72)}`,
    'Bearer nobody-knows-me',
    'Bearer local-alph',
    'Bearer local-alphaa',
    'Bearer local-alpha local-beta',
    'Bearer local-alpha.',
    'Bearer local-alpha.a.b',
    'Bearer local-alpha.a/b',
    'Bearer local-alpha.default%00',
    'Basic bG9jYWwtYWxwaGE6',
    'local-alpha',
    `Bearer ${'a'.repeat(5_000)}`,
    'Bearer eyJhbGciOiJub25lIn0.eyJ0ZW5hbnQiOiJhbHBoYSJ9.',
    "Bearer ' or 1=1 --",
    'Bearer __proto__',
  ];

  it('is refused in one shape whatever is wrong with its token, and leaves no row', async () => {
    const before = await allEffects(world);
    const answers = await Promise.all(
      garbage.map((authorization, n) =>
        world.checkout(
          `stranger-${n}`,
          {},
          {
            token: null,
            body: world.cart('stranger'),
            headers: authorization === undefined ? {} : { authorization },
          },
        ),
      ),
    );
    expect(answers[0]?.status).toBe(401);
    expect(answers[0]?.headers.get('www-authenticate')).toBe('Bearer realm="hapax"');
    for (const answer of answers) expect(shape(answer)).toEqual(shape(answers[0] as Answered));
    expect(await allEffects(world)).toEqual(before);
    expect(
      await world.sql(
        `select id from hapax.arrival where operation_id in (select id from hapax.operation where key like 'stranger%')`,
      ),
    ).toEqual([]);
  });

  it.each(['Bearer  local-alpha', 'Bearer     local-alpha', 'bearer local-alpha', 'BEARER  local-alpha'])(
    'is not one whose token follows one or more blanks (RFC 9110, 11.4; RFC 6750, 2.1): %j',
    async (authorization) => {
      const answer = await world.ask('GET', '/v1/operations', { token: null, headers: { authorization } });
      expect(answer.status).toBe(200);
    },
  );

  it('is refused before its key, its body and its path are looked at', async () => {
    const answers = await Promise.all([
      world.ask('POST', '/v1/checkouts', { token: null }),
      world.ask('POST', '/v1/checkouts', { token: null, key: 'a, b', body: '{' }),
      world.ask('POST', '/v1/keys', { token: null }),
      world.ask('GET', '/v1/operations?limit=none', { token: null }),
      world.ask('GET', '/v1/operations/1', { token: null }),
    ]);
    for (const answer of answers) expect(shape(answer)).toEqual(shape(answers[0] as Answered));
    expect(await world.sql('select key from hapax.issued_key')).toEqual([]);
  });

  it('gets no replay once its token was taken away', async () => {
    const paid = await world.checkout('revoked');
    expect(paid.status).toBe(201);
    const tokens = (world.env.HAPAX_TOKENS as string).split(',').filter((entry) => !entry.startsWith('local-alpha='));
    const door = world.doors.push(await world.start('workers/http.ts', { HAPAX_TOKENS: tokens.join(',') })) - 1;
    const refused = await world.checkout('revoked', {}, { door });
    expect(refused.status).toBe(401);
    expect(refused.text).not.toContain(paid.json.id);
    expect(refused.headers.get('idempotent-replayed')).toBeNull();
    expect(await effectsOf(world, 'revoked')).toEqual(paidOnce);
  });
});

describe('a request that says more than it may', () => {
  it.each([
    'amount',
    'state',
    'tenant',
    'environment',
    'subject',
    'role',
    'orderId',
    'paymentIntent',
    'price',
    'currency',
  ])('is refused for its field %s, and leaves its key free', async (field) => {
    const key = `assigns ${field}`;
    const refused = await world.checkout(key, { [field]: field === 'amount' ? 1 : 'beta' });
    expect([refused.status, refused.json.code]).toEqual([400, 'request-invalid']);
    expect(refused.json.detail).toContain(field);
    expect(await effectsOf(world, key)).toEqual(nothing);
  });

  it('stays in its tenant whatever its headers say', async () => {
    const { alpha, beta } = world.tenants;
    const headers = {
      'x-tenant': beta,
      'x-tenant-id': beta,
      'x-hapax-tenant': beta,
      'x-environment': 'live',
      'x-subject': 'ann',
      'x-user-id': 'ann',
      'x-forwarded-user': 'ann',
      'x-forwarded-host': 'evil.example',
      'x-forwarded-proto': 'https',
      'x-forwarded-for': '10.0.0.1',
      'x-original-url': '/v1/keys',
      'x-http-method-override': 'DELETE',
      'x-request-id': 'chosen',
      forwarded: 'for=10.0.0.1;host=evil.example',
    };
    const answer = await world.checkout('spoofed', {}, { headers });
    expect(answer.status).toBe(201);
    expect(answer.headers.get('location')).toBe(`/v1/operations/${answer.json.id}`);
    const rows = await world.sql(
      `select tenant, environment, subject, request_id from hapax.operation where key = 'spoofed'`,
    );
    expect(rows).toEqual([
      { tenant: alpha, environment: 'test', subject: 'default', request_id: answer.headers.get('request-id') },
    ]);
    expect(answer.headers.get('request-id')).toMatch(/^req_/);
    expect(await effectsOf(world, 'spoofed')).toEqual(paidOnce);
  });
});

describe('a replay', () => {
  it('carries no cookie and nothing of another connection, whatever was stored', async () => {
    const first = await world.checkout('cookie');
    const headers = {
      'content-type': 'application/json; charset=utf-8',
      etag: '"v1"',
      'set-cookie': 'session=canary-cookie',
      'Set-Cookie': 'session=canary-cookie',
      'SET-COOKIE': 'session=canary-cookie',
      connection: 'upgrade',
      'Transfer-Encoding': 'gzip',
      'www-authenticate': 'Basic',
      'x-internal': 'canary-cookie',
      'access-control-allow-origin': '*',
      'request-id': 'canary-cookie',
      'cache-control': 'public',
    };
    await world.sql(`update hapax.operation set answer_headers = $1 where key = 'cookie'`, headers);
    const again = await world.checkout('cookie');
    expect([again.status, again.text]).toEqual([201, first.text]);
    expect(again.headers.getSetCookie()).toEqual([]);
    expect(JSON.stringify([...again.headers])).not.toContain('canary-cookie');
    expect(again.headers.get('cache-control')).toBe('no-store');
    expect(again.headers.get('etag')).toBe('"v1"');
    for (const name of ['transfer-encoding', 'www-authenticate', 'x-internal', 'access-control-allow-origin'])
      expect([name, again.headers.get(name)]).toEqual([name, null]);
    expect(await effectsOf(world, 'cookie')).toEqual(paidOnce);
  });
});

/** Of the ledger as a whole, or of its object store: they name no tenant. */
const ofNobody = new Set([
  'news_channel',
  'answer_copies',
  'bucket_proof',
  'ledger',
  'money_pass',
  'sweep_pass',
  'reclaimed',
  'sweep_trouble',
  'relay',
  'relay_shard',
  'consumer_shard',
]);

describe('behind the door PostgreSQL itself', () => {
  let sql: pg.Client;
  beforeAll(async () => {
    await world.checkout('row-level', {}, { token: 'local-alpha' });
    await world.checkout('row-level', {}, { token: 'local-beta', body: world.cart('row-level') });
    sql = new pg.Client({ connectionString: world.databaseUrl, options: '-c role=hapax_app' });
    await sql.connect();
  });
  afterAll(() => sql.end());

  /** Each asked with a tenant's name, so that none of ours can be without one. */
  async function tables(): Promise<string[]> {
    const all = await world.sql<{ name: string; behind: boolean }>(
      `select relname as name, relrowsecurity and relforcerowsecurity and exists (
         select from pg_policy where polrelid = pg_class.oid and polname = 'acting_roles' and not polpermissive) as behind
       from pg_class
       where relnamespace = 'hapax'::regnamespace and relkind in ('r', 'p')`,
    );
    expect(all.filter(({ behind }) => !behind)).toEqual([]);
    return all.map(({ name }) => name).filter((name) => !ofNobody.has(name));
  }

  async function tenantsIn(client: { query: typeof sql.query }, table: string): Promise<string[]> {
    const { rows } = await client.query<{ tenant: string }>(`select distinct tenant from hapax.${table}`);
    return rows.map(({ tenant }) => tenant).toSorted();
  }

  it('shows of every table only the rows of the tenant that is named, and none where none is', async () => {
    const all = await tables();
    expect(all).toEqual(expect.arrayContaining(['operation', 'step', 'arrival', 'issued_key', 'outbox', 'transfer']));
    const owner = new pg.Client({ connectionString: world.databaseUrl });
    await owner.connect();
    for (const table of all) {
      const inside = await tenantsIn(owner, table);
      await sql.query(`select set_config('hapax.tenant', '', false)`);
      expect([table, await tenantsIn(sql, table)]).toEqual([table, []]);
      for (const tenant of Object.values(world.tenants)) {
        await sql.query(`select set_config('hapax.tenant', $1, false)`, [tenant]);
        expect([table, await tenantsIn(sql, table)]).toEqual([table, inside.filter((one) => one === tenant)]);
      }
      if (['operation', 'step', 'outbox', 'catalogue_item', 'customer_order', 'order_line'].includes(table))
        expect([table, inside]).toEqual([table, Object.values(world.tenants).toSorted()]);
    }
    await owner.end();
  });

  it('names a tenant exactly as it is spelled, and none for the next transaction', async () => {
    const database = new Database(world.databaseUrl, 'hapax_app', 1);
    const asked = { name: 'who', text: 'select current_tenant() as who', values: [] };
    for (const tenant of ["o'neil", 'back\\slash', "'; commit; --", "$1\n'' ", 'ünï']) {
      expect(await database.flush(tenant, asked)).toEqual([[{ who: tenant }]]);
      expect(await database.flush(null, asked)).toEqual([[{ who: null }]]);
    }
    const { alpha } = world.tenants;
    const issue = {
      name: 'issue',
      text: `insert into issued_key (key, tenant, environment, subject) values ('cut', $1, 'test', 'ann')`,
      values: [alpha],
    };
    await expect(database.flush(`${alpha}\0`, issue)).rejects.toThrow('NUL');
    expect(await world.sql(`select from hapax.issued_key where key = 'cut'`)).toEqual([]);
    await database.close();
  });

  it('refuses to write, change or delete rows of another tenant', async () => {
    await sql.query(`select set_config('hapax.tenant', $1, false)`, [world.tenants.alpha]);
    const { beta } = world.tenants;
    const changed = await sql.query(`update hapax.operation set state = 'cancelled' where tenant = $1`, [beta]);
    expect(changed.rowCount).toBe(0);
    await expect(
      sql.query(
        `insert into hapax.issued_key (key, tenant, environment, subject) values ('stolen', $1, 'test', 'ann')`,
        [beta],
      ),
    ).rejects.toThrow(/row-level security/);
    await expect(sql.query(`update hapax.operation set tenant = $1 where key = 'row-level'`, [beta])).rejects.toThrow(
      /row-level security/,
    );
    await expect(sql.query('delete from hapax.operation')).rejects.toThrow(/permission denied/);
    await expect(sql.query('update hapax.catalogue_item set price_minor = 1')).rejects.toThrow(/permission denied/);
  });
});

describe('secrets', () => {
  const card = '4242424242424242';
  const canaries = {
    card,
    spaced: '4242 4242 4242 4242',
    stripe: 'sk_test_world',
    token: 'local-alpha',
    tokenToo: 'live-alpha',
    cookie: 'canary-cookie-2',
    guess: 'canary-guessed-token',
    s3: '',
  };
  const person = 'canary.person@example.com';

  it('are in no log, no row, no metric and no history, whatever was sent where', async () => {
    canaries.s3 = world.env.S3_SECRET_ACCESS_KEY as string;
    const cookie = { cookie: `session=${canaries.cookie}` };
    const paid = await world.checkout(
      'canary',
      { email: person },
      { headers: cookie, body: world.cart('canary', { email: person }) },
    );
    expect(paid.status).toBe(201);
    const declined = await world.checkout('canary-2', { paymentMethod: 'pm_card_chargeDeclined', email: person });
    expect(declined.status).toBe(402);
    const answers = await Promise.all([
      world.checkout('c1', { paymentMethod: card }),
      world.checkout('c2', { card: { number: card, cvc: '123' } }),
      world.checkout('c3', { [card]: 1 }),
      world.checkout(card),
      world.ask('POST', '/v1/checkouts', { key: 'c4', body: `{"cartId": "${card}` }),
      world.ask('GET', `/v1/operations?token=${canaries.guess}`),
      world.ask('GET', '/v1/operations', { token: canaries.guess }),
      world.ask('POST', `/v1/operations/${card}/cancel`),
    ]);
    for (const answer of answers) expect(answer.status).toBeGreaterThanOrEqual(400);
    // Where our own side fails, the error is logged with all that it quotes.
    await world.sql('alter table hapax.issued_key rename to issued_key_gone');
    const failed = await world.ask('POST', '/v1/keys', { headers: cookie });
    await world.sql('alter table hapax.issued_key_gone rename to issued_key');
    expect([failed.status, failed.json.code]).toEqual([500, 'internal']);
    expect(failed.text).not.toMatch(/issued_key|relation|select|insert|\.ts|node_modules/i);

    // A line of log may come after the answer.
    const log = await world.until('the failure is logged', async () => {
      const files = (await readdir(world.directory)).filter((file) => file.endsWith('.log'));
      const logs = await Promise.all(files.map((file) => readFile(join(world.directory, file), 'utf8')));
      return logs.some((text) => text.includes('a request failed')) && logs.join('');
    });
    const rows = await everyRow();
    expect(rows).toContain(paid.json.id);
    const history = await historyOf(paid.headers.get('hapax-workflow-id') as string);
    expect(history).toContain(paid.json.id);
    const metrics = (await world.ask('GET', '/metrics')).text;
    // A member that is not known is named to whoever sent it.
    const told =
      answers
        .filter(({ json }) => !String(json?.detail).includes('Unrecognized key'))
        .map(({ text }) => text)
        .join('') +
      paid.text +
      declined.text +
      failed.text;
    for (const [what, text] of Object.entries({ log, rows, history, metrics, told }))
      for (const [name, canary] of Object.entries(canaries))
        expect([what, name, text.includes(canary)]).toEqual([what, name, false]);
    // What a person has told us stands in rows, where it is forgotten with the answer, and nowhere else.
    for (const [what, text] of Object.entries({ log, metrics }))
      expect([what, text.includes(person)]).toEqual([what, false]);
    expect(metrics).not.toContain('canary');
    expect(rows + history).not.toMatch(/pi_[A-Za-z0-9]+_secret_/);
  });

  async function everyRow(): Promise<string> {
    const tables = await world.sql<{ name: string }>(
      `select tablename as name from pg_tables where schemaname in ('hapax', 'public')`,
    );
    const texts: string[] = [];
    for (const { name } of tables) {
      const schema = (
        await world.sql<{ s: string }>(`select schemaname as s from pg_tables where tablename = $1`, name)
      )[0]?.s;
      const rows = await world.sql<{ text: string }>(`select t::text as text from ${schema}."${name}" t`);
      texts.push(...rows.map(({ text }) => text));
    }
    const bodies = await world.sql<{ text: string }>(
      `select convert_from(answer_body, 'UTF8') as text from hapax.operation where answer_body is not null`,
    );
    return [...texts, ...bodies.map(({ text }) => text)].join('\n');
  }

  async function historyOf(workflowId: string): Promise<string> {
    const connection = await Connection.connect({ address: inject('ground').temporalAddress });
    try {
      return textOf(await new Client({ connection }).workflow.getHandle(workflowId).fetchHistory());
    } finally {
      await connection.close();
    }
  }

  /** Everything in a history that can be read, payloads included. */
  function textOf(value: unknown): string {
    if (value instanceof Uint8Array) return Buffer.from(value).toString();
    if (typeof value !== 'object' || value === null) return `${String(value)}\n`;
    return Object.entries(value)
      .map(([name, part]) => `${name} ${textOf(part)}`)
      .join('');
  }
});
