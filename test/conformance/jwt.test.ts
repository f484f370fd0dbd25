import { createHmac, randomBytes } from 'node:crypto';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { exportJWK } from 'jose';
import { afterAll, beforeAll, describe, expect, inject, it, onTestFinished } from 'vitest';
import { type Claims, TokenIssuer } from '../support/token-issuer.ts';
import { type Answered, World } from '../support/world.ts';
import { allEffects, effectsOf, paidOnce } from './effects.ts';

let issuer: TokenIssuer;
let world: World;
beforeAll(async () => {
  issuer = await TokenIssuer.start();
  world = await World.create(inject('ground'), { env: { ...issuer.settings, HAPAX_TOKENS: '' }, upkeep: false });
});
afterAll(async () => {
  await world.close();
  await issuer.goAway();
});

const now = () => Math.floor(Date.now() / 1_000);
const token = (claims: Claims = {}, signing?: Parameters<TokenIssuer['token']>[1]) =>
  issuer.token({ tenant: world.tenants.alpha, ...claims }, signing);
const look = (bearer: string, door = 0) => world.ask('GET', '/v1/operations', { token: bearer, door });

/** One more HTTP API with settings of its own; they know no static tokens. */
async function doorWith(env: Record<string, string>): Promise<number> {
  return world.doors.push(await world.start('workers/http.ts', env)) - 1;
}

/** Everything of an answer but its request id and its date. */
function whole({ status, text, headers }: Answered): unknown {
  // Whether the connection ends tells only whether the body had arrived when the answer left.
  const own = ['request-id', 'date', 'connection', 'keep-alive'];
  const kept = [...headers].filter(([name]) => !own.includes(name));
  return { status, text: text.replace(/req_[0-9a-f-]{36}/g, ''), headers: kept };
}

function encoded(part: object): string {
  return Buffer.from(JSON.stringify(part)).toString('base64url');
}

const claims = () => ({
  iss: TokenIssuer.issuer,
  aud: TokenIssuer.audience,
  tenant: world.tenants.alpha,
  environment: 'test',
  sub: 'ann',
  iat: now(),
  exp: now() + 300,
});

/** Signed with something that is no private key of the issuer. */
function hmac(secret: string, alg = 'HS256'): string {
  const body = `${encoded({ alg, kid: 'first', typ: 'JWT' })}.${encoded(claims())}`;
  return `${body}.${createHmac(alg.replace('HS', 'sha'), secret).update(body).digest('base64url')}`;
}

describe('a JWT of the issuer', () => {
  it('begins an operation of its own tenant, environment and subject, once', async () => {
    const bearer = await token();
    const [first, again] = [
      await world.checkout('by jwt', {}, { token: bearer }),
      await world.checkout('by jwt', {}, { token: await token({ jti: 'another token of the same person' }) }),
    ];
    expect([first.status, again.status, again.text]).toEqual([201, 201, first.text]);
    expect(again.headers.get('idempotent-replayed')).toBe('true');
    expect(await effectsOf(world, 'by jwt')).toEqual(paidOnce);
    expect(await world.sql(`select tenant, environment, subject from hapax.operation where key = 'by jwt'`)).toEqual([
      { tenant: world.tenants.alpha, environment: 'test', subject: 'ann' },
    ]);
  });

  it('may be signed with any of the usual key pairs', async () => {
    const pairs = await Promise.all(
      ['RS512', 'PS256', 'ES256', 'ES384', 'ES512', 'EdDSA'].map((alg) => TokenIssuer.pair(`key-${alg}`, alg)),
    );
    issuer.published.push(...pairs);
    for (const by of pairs) expect([by.alg, (await look(await token({}, { by }))).status]).toEqual([by.alg, 200]);
    issuer.published.splice(1);
  });

  it('may be 60 s past its end or before its beginning, and no more', async () => {
    const status = async (changes: Claims) => (await look(await token(changes))).status;
    expect(await status({ exp: now() - 45 })).toBe(200);
    expect(await status({ exp: now() - 61 })).toBe(401);
    expect(await status({ nbf: now() + 45 })).toBe(200);
    expect(await status({ nbf: now() + 75 })).toBe(401);
    expect(await status({ iat: now() + 75 })).toBe(401);
  });

  it('is refused once it has expired, though it was taken before', async () => {
    const key = `expires ${now()}`;
    // It has about two seconds left. On a busy machine its request may arrive later: then a fresh one is made.
    const bearer = await world.until('a token is taken just before its end', async () => {
      const fresh = await token({ exp: now() - 57 });
      return (await world.checkout(key, {}, { token: fresh })).status === 201 && fresh;
    });
    const refused = await world.until('the end of the token', async () => {
      const answer = await world.checkout(key, {}, { token: bearer });
      return answer.status === 401 && answer;
    });
    expect(refused.headers.get('idempotent-replayed')).toBeNull();
    expect(await effectsOf(world, key)).toEqual(paidOnce);
  });

  it('names its subject and role by the claims that HAPAX_JWT_CLAIMS maps', async () => {
    const claim = 'https://example.com/org';
    const door = await doorWith({
      HAPAX_JWT_CLAIMS: `tenant=${claim},environment:live,subject=oid,role=/app_metadata/hapax/role`,
    });
    const mapped = (role?: unknown) =>
      issuer.token({
        tenant: world.tenants.beta,
        environment: 'test',
        [claim]: world.tenants.alpha,
        oid: 'bob',
        sub: 'auth0|1',
        role: 'operator',
        app_metadata: { hapax: { role } },
      });
    const made = await world.ask('POST', '/v1/keys', { token: await mapped(), door });
    expect(made.status).toBe(201);
    expect(
      await world.sql('select tenant, environment, subject from hapax.issued_key where key = $1', made.json.key),
    ).toEqual([{ tenant: world.tenants.alpha, environment: 'live', subject: 'bob' }]);
    const viewer = await world.ask('POST', '/v1/keys', { token: await mapped('viewer'), door });
    expect([viewer.status, viewer.json.code]).toEqual([403, 'forbidden']);
    expect((await look(await mapped('root'), door)).status).toBe(401);
  });
});

describe('a token that is not good', () => {
  /** Each is refused; each name says why. */
  const attacks: Readonly<Record<string, () => string | Promise<string>>> = {
    'no JWT': () => 'a.b.c',
    'random bytes': () => [1, 2, 3].map(() => randomBytes(60).toString('base64url')).join('.'),
    expired: () => token({ exp: now() - 3_600 }),
    'not yet valid': () => token({ nbf: now() + 3_600 }),
    'without an end': () => token({ exp: undefined }),
    'with an end as text': () => token({ exp: '9999999999' }),
    'good for two days': () => token({ exp: now() + 172_800 }),
    'alg none': () => `${encoded({ alg: 'none', kid: 'first' })}.${encoded(claims())}.`,
    'alg NONE with a signature': async () =>
      `${encoded({ alg: 'NONE', kid: 'first' })}.${encoded(claims())}.${(await token()).split('.')[2]}`,
    'HMAC with the public key': async () => hmac(await issuer.pem()),
    'HMAC with the public key, trimmed': async () => hmac((await issuer.pem()).trim(), 'HS512'),
    'HMAC with the modulus': async () => hmac((await issuer.jwks())[0]?.n as string),
    'HMAC with nothing': () => hmac(''),
    'another audience': () => token({ aud: 'https://other.test/' }),
    'an audience that begins alike': () => token({ aud: `${TokenIssuer.audience}v2` }),
    'no audience': () => token({ aud: undefined }),
    'another issuer': () => token({ iss: 'https://issuer.test.evil.example/' }),
    'an issuer without its last slash': () => token({ iss: TokenIssuer.issuer.slice(0, -1) }),
    'no issuer': () => token({ iss: undefined }),
    'a stranger’s key under a known id': async () =>
      token({}, { by: { ...(await TokenIssuer.pair('first')), kid: 'first' } }),
    'an unknown key id': async () => token({}, { by: await TokenIssuer.pair('unheard of') }),
    'its own key in its header': async () => {
      const pair = await TokenIssuer.pair('first');
      return token({}, { by: pair, header: { jwk: await exportJWK(pair.publicKey) } });
    },
    'a critical header that we do not know': async () => {
      const [, payload, signature] = (await token()).split('.');
      return `${encoded({ alg: 'RS256', kid: 'first', crit: ['x'], x: 1 })}.${payload}.${signature}`;
    },
    'another payload under the signature': async () => {
      const [header, , signature] = (await token()).split('.');
      return `${header}.${encoded({ ...claims(), tenant: world.tenants.beta })}.${signature}`;
    },
    'no signature': async () => `${(await token()).split('.').slice(0, 2).join('.')}.`,
    'a cut signature': async () => (await token()).slice(0, -4),
    'no tenant': () => token({ tenant: undefined }),
    'an odd tenant': () => token({ tenant: '../beta' }),
    'a list of tenants': () => token({ tenant: ['alpha', 'beta'] }),
    'an odd subject': () => token({ sub: 'auth0|1234' }),
    'no subject': () => token({ sub: undefined }),
    'an odd environment': () => token({ environment: 'prod' }),
    'an odd role': () => token({ role: 'admin' }),
    'a static token of another API': () => 'local-alpha',
    'an API key where none are taken': () => `hpx_test_${'0'.repeat(12)}_${'0'.repeat(72)}`,
  };

  it('is refused in one shape, whatever is wrong with it, and leaves no row', async () => {
    const before = await allEffects(world);
    const nobody = whole(await world.checkout('nobody', {}, { token: null }));
    expect(nobody).toMatchObject({ status: 401 });
    for (const [name, make] of Object.entries(attacks)) {
      const answer = await world.checkout('nobody', {}, { token: await make() });
      expect([name, whole(answer)]).toEqual([name, nobody]);
    }
    expect(await allEffects(world)).toEqual(before);
  });

  it('has us fetch nothing that it names itself', async () => {
    let visits = 0;
    const trap = createServer((_, response) => {
      visits += 1;
      response.end('{"keys":[]}');
    });
    await new Promise<void>((resolve) => trap.listen(0, '127.0.0.1', resolve));
    onTestFinished(() => void trap.close());
    const url = `http://127.0.0.1:${(trap.address() as AddressInfo).port}/`;
    const pair = await TokenIssuer.pair('first');
    const bearer = await token({ iss: url }, { by: pair, header: { jku: url, x5u: url } });
    expect((await look(bearer)).status).toBe(401);
    expect(visits).toBe(0);
  });

  it('with made-up key ids makes us ask the issuer a few times only', async () => {
    const before = issuer.asked;
    const pair = await TokenIssuer.pair('x');
    const answers = await Promise.all(
      Array.from({ length: 40 }, async (_, n) => look(await token({}, { by: { ...pair, kid: `made-up-${n}` } }))),
    );
    expect(new Set(answers.map(({ status }) => status))).toEqual(new Set([401]));
    expect(issuer.asked - before).toBeLessThanOrEqual(5);
  });
});

describe('the keys of the issuer', () => {
  it('rotate without a restart: a new one is taken at once', async () => {
    const door = await doorWith({});
    const before = await token({ jti: 'before' });
    expect((await look(before, door)).status).toBe(200);
    const next = await TokenIssuer.pair('next');
    issuer.published.push(next);
    expect((await look(await token({}, { by: next }), door)).status).toBe(200);
    expect((await look(before, door)).status).toBe(200);
    issuer.published.pop();
  });

  it('are refused when they are withdrawn, and so is a token that they had let in', async () => {
    const door = await doorWith({});
    const leaked = await TokenIssuer.pair('leaked');
    issuer.published.push(leaked);
    const bearer = await token({}, { by: leaked });
    // Twice, so that it is remembered as verified.
    for (const _ of [1, 2]) expect((await look(bearer, door)).status).toBe(200);
    issuer.published.pop();
    // The refresh of the minute would find it; an unknown key id asks for the keys at once.
    expect((await look(await token({}, { by: await TokenIssuer.pair('other') }), door)).status).toBe(401);
    expect((await look(bearer, door)).status).toBe(401);
  });

  it('that are known are kept while the issuer is away; an unknown one gets 503, never 200', async () => {
    const door = await doorWith({});
    const known = await token({ jti: 'known' });
    expect((await look(known, door)).status).toBe(200);
    const next = await TokenIssuer.pair('published while away');
    const unknown = await token({}, { by: next });
    await issuer.goAway();
    const [away, stillAway] = [await look(unknown, door), await look(unknown, door)];
    for (const answer of [away, stillAway])
      expect([answer.status, answer.json.code, answer.headers.get('retry-after')]).toEqual([
        503,
        'issuer-unavailable',
        '5',
      ]);
    expect((await look(known, door)).status).toBe(200);
    expect((await look(await token({ jti: 'new token, known key' }), door)).status).toBe(200);
    // Still what it is, whoever is away.
    expect((await look(await token({ aud: 'https://other.test/' }), door)).status).toBe(401);
    expect((await look(hmac(await issuer.pem()), door)).status).toBe(401);
    const ready = await world.ask('GET', '/readyz?verbose', { token: null, door });
    expect(ready.status).toBe(200);
    expect(ready.text).toMatch(
      /^\[~\]callers: JWTs of https:\/\/issuer\.test\/, but HAPAX_JWKS_URL has given no keys since /m,
    );
    issuer.published.push(next);
    await issuer.comeBack();
    await world.until('the issuer is asked again', async () => (await look(unknown, door)).status === 200);
    expect((await world.ask('GET', '/readyz?verbose', { token: null, door })).text).toContain(
      '[+]callers: JWTs of https://issuer.test/.\n',
    );
    issuer.published.pop();
  });

  it('are not known where the issuer is away from the start: the door starts, says so, and answers 503', async () => {
    issuer.misbehave = (_, response) => response.writeHead(500).end();
    const door = await doorWith({});
    const answer = await look(await token(), door);
    expect([answer.status, answer.json.code]).toEqual([503, 'issuer-unavailable']);
    const ready = await world.ask('GET', '/readyz?verbose', { token: null, door });
    expect([ready.status, ready.text]).toEqual([503, expect.stringContaining('[-]callers: ')]);
    expect(ready.text).toContain('none of its keys is known yet');
    issuer.misbehave = undefined;
    await world.until('the issuer is asked again', async () => (await look(await token(), door)).status === 200);
  });
});
