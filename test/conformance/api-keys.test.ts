import { createHash } from 'node:crypto';
import pg from 'pg';
import { afterAll, beforeAll, describe, expect, inject, it, onTestFinished } from 'vitest';
import { databaseNamed, dropDatabase } from '../support/database-named.ts';
import { FaultyLine } from '../support/faulty-line.ts';
import { keysCommand, keysOf, newKey } from '../support/keys-command.ts';
import { World } from '../support/world.ts';
import { effectsOf, nothing, paidOnce } from './effects.ts';

let world: World;
/** The second HTTP API reaches PostgreSQL over a line that a test can break. */
let line: FaultyLine;
beforeAll(async () => {
  world = await World.create(inject('ground'), { env: { HAPAX_TOKENS: '', HAPAX_API_KEYS: 'on' }, upkeep: false });
  line = await FaultyLine.to(world.databaseUrl);
  world.doors.push(await world.start('workers/http.ts', { DATABASE_URL: line.url }));
});
afterAll(async () => {
  await world.close();
  await line.close();
});

const key = (...more: string[]) => newKey(world, world.tenants.alpha, 'shop', ...more);
/** Within which every process knows of a key that has ended. Milliseconds. */
const soon = 1_000;

const ask = (token: string, door: number) => world.ask('GET', '/v1/operations', { token, door });
/** On a busy machine a look-up may be too slow to be trusted: its caller is told to ask again. */
const look = (token: string, door = 0) =>
  world.until('the key is looked up', async () => {
    const answer = await ask(token, door);
    return answer.json?.code !== 'ledger-unavailable' && answer;
  });
const checkout = (key: string, token: string, door = 0) =>
  world.until(`${key} is answered`, async () => {
    const answer = await world.checkout(key, {}, { token, door, headers: { prefer: 'wait=30' } });
    return answer.json?.code !== 'ledger-unavailable' && answer;
  });
const nameOf = (secret: string) => secret.split('_').slice(0, 3).join('_');
const rowOf = async (secret: string) =>
  (await world.sql('select * from hapax.api_key where prefix = $1', secret.split('_')[2]))[0] ?? expect.unreachable();

describe('an API key', () => {
  it('is made by command, shown once, and begins operations of its tenant and subject', async () => {
    const secret = await key('--note', 'the shop');
    expect(secret).toMatch(/^hpx_test_[0-9a-f]{12}_[0-9a-f]{72}$/);
    const [first, again] = [await checkout('by key', secret), await checkout('by key', secret, 1)];
    expect([first.status, again.status, again.text]).toEqual([201, 201, first.text]);
    expect(await effectsOf(world, 'by key')).toEqual(paidOnce);
    expect(await world.sql(`select tenant, environment, subject from hapax.operation where key = 'by key'`)).toEqual([
      { tenant: world.tenants.alpha, environment: 'test', subject: 'shop' },
    ]);
    const listed = await keysCommand(world, 'list', '--tenant', world.tenants.alpha);
    expect([listed.code, listed.out]).toEqual([0, expect.stringContaining(nameOf(secret))]);
    expect(listed.out).toContain('the shop');
    expect(listed.out + listed.told).not.toContain(secret.split('_')[3]);
  });

  it('is kept as a hash, found by its prefix', async () => {
    const secret = await key();
    const row = await rowOf(secret);
    expect(row.hash).toEqual(createHash('sha256').update(secret).digest());
    const text = JSON.stringify(await world.sql('select t::text from hapax.api_key t'));
    expect(text).toContain(secret.split('_')[2]);
    expect(text).not.toContain(secret.split('_')[3]);
  });

  it('has its last use on record', async () => {
    const secret = await key();
    expect((await rowOf(secret)).last_used_at).toBeNull();
    await look(secret);
    const at = await world.until(
      'its use',
      async () => ((await rowOf(secret)).last_used_at as Date | null) ?? undefined,
    );
    expect(Math.abs(Date.now() - at.getTime())).toBeLessThan(20_000);
    await look(secret, 1);
    await new Promise((resolve) => setTimeout(resolve, 1_000));
    await look(secret);
    await new Promise((resolve) => setTimeout(resolve, 300));
    // To the minute: a busy key does not write a row for each request.
    expect((await rowOf(secret)).last_used_at).toEqual(at);
    await world.sql(
      `update hapax.api_key set last_used_at = now() - interval '2 minutes' where hash = $1`,
      (await rowOf(secret)).hash,
    );
    await world.until('its next use', async () => {
      await look(secret);
      return ((await rowOf(secret)).last_used_at as Date) > at;
    });
  });

  it('has the role that it was made with', async () => {
    const secret = await key('--role', 'viewer');
    expect((await look(secret)).status).toBe(200);
    const refused = await checkout('by viewer', secret);
    expect([refused.status, refused.json.code]).toEqual([403, 'forbidden']);
    expect(await effectsOf(world, 'by viewer')).toEqual(nothing);
  });

  it('of which one character is wrong is refused as any other is', async () => {
    const secret = await key();
    const { status, text } = await world.ask('GET', '/v1/operations', { token: null });
    const own = /req_[0-9a-f-]{36}/;
    const [start, environment, prefix, rest = ''] = secret.split('_');
    const wrong = [
      `${secret.slice(0, -1)}${secret.endsWith('0') ? '1' : '0'}`,
      `${start}_live_${prefix}_${rest}`,
      `${start}_${environment}_${'0'.repeat(12)}_${rest}`,
      nameOf(secret),
      secret.toUpperCase(),
      `${secret}.ann`,
      // Well formed, checksum and all, with the prefix of a key that exists.
      forged(secret),
    ];
    for (const token of wrong) {
      const answer = await look(token);
      expect([token, answer.status, answer.text.replace(own, '')]).toEqual([token, status, text.replace(own, '')]);
    }
    expect(status).toBe(401);
    expect((await look(secret)).status).toBe(200);
    expect((await rowOf(secret)).revoked_at).toBeNull();
  });

  it('is refused once it has expired, though it was taken before', async () => {
    const secret = await key();
    for (const door of [0, 1]) expect((await look(secret, door)).status).toBe(200);
    const [row] = await world.sql<{ at: Date }>(
      `update hapax.api_key set expires_at = now() + interval '2 seconds' where hash = $1 returning expires_at as at`,
      (await rowOf(secret)).hash,
    );
    const end = row?.at.getTime() ?? expect.unreachable();
    // It is in use when it ends: what a process has read of it a moment before ends with it.
    const use = async (door: number) =>
      await world.until('it is refused', async () => {
        const sent = Date.now();
        const { status } = await look(secret, door);
        if (sent > end + soon) expect(status).toBe(401);
        return status === 401 && Date.now();
      });
    for (const refused of await Promise.all([use(0), use(1)])) expect(refused).toBeGreaterThanOrEqual(end);
    const made = await keysCommand(
      world,
      'create',
      '--tenant',
      'a',
      '--environment',
      'live',
      '--subject',
      'b',
      '--expires',
      '90d',
      '-o',
      'json',
    );
    const days = (Date.parse(JSON.parse(made.out).expiresAt) - Date.now()) / 86_400_000;
    expect(Math.round(days)).toBe(90);
  });
});

describe('a revoked key', () => {
  it('is refused by every HTTP API within a second, before any replay', async () => {
    const secret = await key();
    const asked = `revoked ${nameOf(secret)}`;
    expect((await checkout(asked, secret)).status).toBe(201);
    // Both know the key, and both have the answer in memory.
    for (const door of [0, 1]) {
      const replayed = await checkout(asked, secret, door);
      expect([replayed.status, replayed.headers.get('idempotent-replayed')]).toEqual([201, 'true']);
    }
    let stop = false;
    const seen: { door: number; sent: number; status: number }[] = [];
    const askers = [0, 1].map(async (door) => {
      while (!stop) {
        const sent = Date.now();
        const { status } = await world.checkout(asked, {}, { token: secret, door });
        seen.push({ door, sent, status });
      }
    });
    const doors = [0, 1];
    const revokedAt = async () => ((await rowOf(secret)).revoked_at as Date | null)?.getTime();
    /** When the others could see it: the clock of the row had been read before it was committed. */
    let committed = Number.POSITIVE_INFINITY;
    const late = (door: number) => seen.filter((one) => one.door === door && one.sent > committed + soon);
    try {
      await world.until('both have asked', async () => doors.every((door) => seen.some((one) => one.door === door)));
      const [revoked, visible] = await Promise.all([
        keysCommand(world, 'revoke', nameOf(secret)),
        world.until('it is revoked', async () => (await revokedAt()) !== undefined && Date.now(), 30_000, 5),
      ]);
      expect([revoked.code, revoked.out]).toEqual([0, expect.stringMatching(/^hpx_test_\w{12} was revoked at /)]);
      committed = visible;
      await world.until('both have refused it after that', async () =>
        doors.every((door) => late(door).some(({ status }) => status === 401)),
      );
    } finally {
      stop = true;
      await Promise.all(askers);
    }
    const at = await revokedAt();
    for (const door of doors) {
      // On a busy machine a look-up may be too slow to be trusted: 503, and never an answer.
      expect(late(door).filter(({ status }) => status !== 401 && status !== 503)).toEqual([]);
    }
    expect(await effectsOf(world, asked)).toEqual(paidOnce);
    const again = await keysCommand(world, 'revoke', secret, '-o', 'json');
    expect(Date.parse(JSON.parse(again.out).revokedAt)).toBe(at);
  });

  it('is not taken either where PostgreSQL cannot be asked: 503, never 200, and 401 once it can', async () => {
    const secret = await key();
    expect((await look(secret, 1)).status).toBe(200);
    line.swallow();
    onTestFinished(() => line.heal());
    const cut = Date.now();
    expect((await keysCommand(world, 'revoke', nameOf(secret))).code).toBe(0);
    await new Promise((resolve) => setTimeout(resolve, Math.max(0, cut + 1_100 - Date.now())));
    const blind = await ask(secret, 1);
    expect([blind.status, blind.json.code]).toEqual([503, 'ledger-unavailable']);
    expect((await look(secret, 0)).status).toBe(401);
    line.heal();
    await world.until('PostgreSQL is asked again', async () => (await look(secret, 1)).status === 401);
  });
});

describe('the role that HTTP APIs run as', () => {
  it('sees a key only by its prefix, cannot list keys, and changes nothing but the last use', async () => {
    const secret = await key();
    const sql = new pg.Client({
      connectionString: world.databaseUrl,
      options: '-c role=hapax_app -c search_path=hapax',
    });
    await sql.connect();
    onTestFinished(() => sql.end());
    await sql.query(`select set_config('hapax.tenant', $1, false)`, [world.tenants.alpha]);
    expect((await sql.query('select from api_key')).rowCount).toBe(0);
    const found = await sql.query('select subject from find_api_key($1)', [secret.split('_')[2]]);
    expect(found.rows).toEqual([{ subject: 'shop' }]);
    // The prefix that was named is forgotten with its transaction.
    expect((await sql.query('select from api_key')).rowCount).toBe(0);
    expect((await sql.query(`select from find_api_key('%')`)).rowCount).toBe(0);
    await expect(sql.query('update api_key set revoked_at = null')).rejects.toThrow(/permission denied/);
    await expect(sql.query(`update api_key set role = 'operator'`)).rejects.toThrow(/permission denied/);
    await expect(sql.query('delete from api_key')).rejects.toThrow(/permission denied/);
    await expect(sql.query('insert into api_key select * from api_key')).rejects.toThrow(/permission denied/);
    expect(
      await world.sql(`select relforcerowsecurity as forced from pg_class where oid = 'hapax.api_key'::regclass`),
    ).toEqual([{ forced: true }]);
  });
});

describe('npm run keys', () => {
  it('works with a login that may act as upkeep, and with no other', async () => {
    const { postgresUrl, template } = inject('ground');
    const name = `${world.name}_owned`;
    const owned = new URL(await databaseNamed(postgresUrl, name, template));
    const admin = new pg.Client({ connectionString: owned.href });
    await admin.connect();
    const roles = [`${name}_upkeep`, `${name}_app`] as const;
    try {
      for (const role of roles) await admin.query(`create role ${role} login password 'test'`);
      await admin.query(`grant hapax_upkeep to ${roles[0]}; grant hapax_app to ${roles[1]}`);
      const as = (role: string) => {
        const url = new URL(owned);
        url.username = role;
        url.password = 'test';
        return url.href;
      };
      const who = ['--tenant', 'alpha', '--environment', 'live', '--subject', 'ann'];
      const made = await keysOf(as(roles[0]), 'create', ...who);
      expect([made.told, made.code]).toEqual([expect.stringMatching(/^Made hpx_live_/), 0]);
      expect((await keysOf(as(roles[0]), 'list')).out).toContain(nameOf(made.out.trim()));
      expect((await keysOf(as(roles[0]), 'revoke', nameOf(made.out.trim()))).code).toBe(0);
      const refused = await keysOf(as(roles[1]), 'create', ...who);
      expect([refused.code, refused.out]).toEqual([1, '']);
      expect(refused.told).toMatch(/permission denied.*may act as hapax_upkeep/s);
      expect((await keysOf(as(roles[1]), 'list')).out).toBe('');
    } finally {
      await admin.end();
      await dropDatabase(postgresUrl, name);
      await world.sql(`drop role if exists ${roles.join(', ')}`);
    }
  });

  it.each([
    [[], 'Commands:'],
    [['make'], "unknown command 'make'"],
    [['create'], "required option '--tenant <tenant>' not specified"],
    [['create', '--tenant', '', '--environment', 'live', '--subject', 'b'], 'It takes at most 63 letters'],
    [['create', '--tenant', 'a', '--environment', 'prod', '--subject', 'b'], 'Allowed choices are live, test'],
    [['create', '--tenant', 'a', '--environment', 'live', '--subject', 'auth0|1'], 'It takes at most 63 letters'],
    [['create', '--tenant', 'a', '--environment', 'live', '--subject', 'b', '--role', 'root'], 'Allowed choices are'],
    [
      ['create', '--tenant', 'a', '--environment', 'live', '--subject', 'b', '--expires', '1d ago'],
      'It takes a time from now',
    ],
    [
      ['create', '--tenant', 'a', '--environment', 'live', '--subject', 'b', '--expires', '2020-01-01'],
      'It takes a time from now',
    ],
    [['revoke'], "missing required argument 'name'"],
    [['revoke', 'everything'], 'It takes the name of a key'],
    [['list', '--secret'], "unknown option '--secret'"],
    [['list', '-o', 'xml'], 'Allowed choices are table, json'],
  ])('says what is wrong with %j, and ends with 2', async (args, words) => {
    const { code, out, told } = await keysCommand(world, ...args);
    expect([code, out]).toEqual([2, '']);
    expect(told).toContain(words);
    expect(told).toMatch(/Usage: hapax keys/);
  });

  it('says what it cannot do, and ends with 1', async () => {
    const missing = await keysCommand(world, 'revoke', 'hpx_live_000000000000');
    expect([missing.code, missing.told]).toEqual([1, 'There is no key 000000000000: see hapax keys list\n']);
    const away = await keysOf('postgres://127.0.0.1:1/none', 'list');
    expect([away.code, away.told]).toEqual([1, expect.stringMatching(/^This could not be done: /)]);
  });
});

/** Another secret under the prefix of a key, with a sound checksum. */
function forged(secret: string): string {
  const body = `${nameOf(secret)}_${'ab'.repeat(32)}`;
  return body + crc(body);
}

/** CRC-32 as RFC 1952 has it, bit by bit. */
function crc(text: string): string {
  let sum = 0xffff_ffff;
  for (const byte of Buffer.from(text)) {
    sum ^= byte;
    for (let bit = 0; bit < 8; bit += 1) sum = (sum >>> 1) ^ (sum & 1 ? 0xedb8_8320 : 0);
  }
  return ((sum ^ 0xffff_ffff) >>> 0).toString(16).padStart(8, '0');
}
