import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import { newKey } from '../support/keys-command.ts';
import { TokenIssuer } from '../support/token-issuer.ts';
import { World } from '../support/world.ts';

let issuer: TokenIssuer;
let world: World;
/** One of each kind, and the part of it that must stand nowhere. */
const tokens = new Map<string, { readonly bearer: string; readonly secret: string }>();

beforeAll(async () => {
  issuer = await TokenIssuer.start();
  // Everything is logged, so that what must not be in a log would be.
  const env = { ...issuer.settings, HAPAX_API_KEYS: 'on', HAPAX_LOG_LEVEL: 'trace', HAPAX_ANSWER_CACHE: '0' };
  world = await World.create(inject('ground'), { env, upkeep: false });
  const { alpha } = world.tenants;
  const jwt = await issuer.token({ tenant: alpha, email: 'canary.person@example.com' });
  const key = await newKey(world, alpha, 'shop');
  tokens.set('static token', { bearer: 'local-alpha', secret: 'local-alpha' });
  tokens.set('JWT', { bearer: jwt, secret: jwt.split('.')[2] as string });
  tokens.set('claims', { bearer: jwt, secret: jwt.split('.')[1] as string });
  tokens.set('API key', { bearer: key, secret: key.split('_')[3] as string });
});
afterAll(async () => {
  await world.close();
  await issuer.goAway();
});

async function logs(): Promise<string> {
  const files = (await readdir(world.directory)).filter((file) => file.endsWith('.log'));
  return (await Promise.all(files.map((file) => readFile(join(world.directory, file), 'utf8')))).join('');
}

async function everyRow(): Promise<string> {
  const tables = await world.sql<{ name: string }>(
    `select tablename as name from pg_tables where schemaname = 'hapax'`,
  );
  const rows = await Promise.all(
    tables.map(({ name }) => world.sql<{ text: string }>(`select t::text as text from hapax."${name}" t`)),
  );
  return rows
    .flat()
    .map(({ text }) => text)
    .join('\n');
}

describe('a token', () => {
  it('stands in no log, row, metric or answer, wherever it was sent', async () => {
    const answers: string[] = [];
    for (const [kind, { bearer }] of tokens) {
      const paid = await world.checkout(`secret of a ${kind}`, {}, { token: bearer });
      expect([kind, paid.status]).toEqual([kind, 201]);
      const inQuery = encodeURIComponent(bearer);
      const wrong = await Promise.all([
        world.ask('GET', `/v1/operations?access_token=${inQuery}`, { token: null }),
        world.ask('GET', `/v1/operations?state=${inQuery}`, { token: bearer }),
        world.ask('GET', `/v1/operations/${inQuery}`, { token: bearer }),
        world.ask('GET', `/v1/${inQuery}`, { token: bearer }),
        world.ask('GET', `/v1/operations`, { token: `${bearer} ${bearer}` }),
        world.ask('GET', `/v1/operations`, { token: null, headers: { authorization: `Basic ${bearer}` } }),
        world.ask('GET', `/v1/operations`, { token: `${bearer}x` }),
        world.checkout('in the body', { token: bearer }, { token: bearer }),
        world.checkout('as the body', {}, { token: bearer, body: bearer }),
        world.ask('POST', '/v1/keys', { token: bearer, headers: { cookie: `session=${bearer}`, 'x-api-key': bearer } }),
      ]);
      for (const answer of wrong.slice(0, -1))
        expect([kind, answer.status]).toEqual([kind, expect.toBeOneOf([400, 401, 404])]);
      answers.push(paid.text, ...wrong.map(({ text }) => text));
    }
    // Where our own side fails, the error is logged with all that it quotes.
    await world.sql('alter function hapax.find_api_key rename to find_api_key_gone');
    // What was read of the key is trusted for a moment.
    const failed = await world.until('the key is looked up again', async () => {
      const answer = await world.ask('GET', '/v1/operations', { token: tokens.get('API key')?.bearer as string });
      return answer.status !== 200 && answer;
    });
    await world.sql('alter function hapax.find_api_key_gone rename to find_api_key');
    expect([failed.status, failed.json.code]).toEqual([500, 'internal']);
    await world.sql('alter table hapax.issued_key rename to issued_key_gone');
    for (const { bearer } of tokens.values())
      answers.push((await world.ask('POST', '/v1/keys', { token: bearer, headers: { cookie: bearer } })).text);
    await world.sql('alter table hapax.issued_key_gone rename to issued_key');
    // We log why a valid token was refused, and not what it held.
    const odd = await issuer.token({ tenant: world.tenants.alpha, sub: 'auth0|canary' });
    expect((await world.ask('GET', '/v1/operations', { token: odd })).status).toBe(401);
    // A process writes its log beside its answers.
    const log = await world.until('both faults are logged', async () => {
      const now = await logs();
      return now.includes('a request failed') && now.includes('its claims give no usable subject') && now;
    });
    const rows = await everyRow();
    expect(rows).toContain('secret of a JWT');
    const metrics = (await world.ask('GET', '/metrics', { token: null })).text;
    const told = answers.join('\n');
    const secrets = [...tokens].map(([kind, { secret }]) => [kind, secret] as const);
    secrets.push(['an odd token', odd.split('.')[2] as string], ['its subject', 'auth0|canary']);
    for (const [where, text] of Object.entries({ log, rows, metrics, told }))
      for (const [kind, secret] of secrets) expect([where, kind, text.includes(secret)]).toEqual([where, kind, false]);
    for (const [where, text] of Object.entries({ log, rows, metrics, told }))
      expect([where, text.includes('canary.person')]).toEqual([where, false]);
  });
});
