import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import { type Role, roles } from '../../workflows/operation/role.ts';
import { newKey } from '../support/keys-command.ts';
import { TokenIssuer } from '../support/token-issuer.ts';
import { Uploader } from '../support/uploader.ts';
import { pathFor } from '../support/path-for.ts';
import { World } from '../support/world.ts';
import { allEffects, effectsOf, paidOnce } from './effects.ts';
import { holdConfirm, release, untilHeld } from './held.ts';

type Route = { readonly security?: readonly Readonly<Record<string, readonly Role[]>>[] };
type Document = {
  readonly paths: Record<string, Record<string, Route>>;
  readonly components: { readonly securitySchemes: Record<string, { description: string }> };
};

let issuer: TokenIssuer;
let world: World;
let uploader: Uploader;
let document: Document;
/** A viewer and an operator of tenant alpha, by each way in which callers are known. */
const people: Record<'viewer' | 'operator', Record<string, string>> = { viewer: {}, operator: {} };

beforeAll(async () => {
  issuer = await TokenIssuer.start();
  world = await World.create(inject('ground'), {
    env: { ...issuer.settings, HAPAX_API_KEYS: 'on' },
    doors: 0,
    media: true,
    upkeep: false,
  });
  const { alpha } = world.tenants;
  const more = ['viewer', 'operator'].map((role) => `static-${role}=${alpha}:test:${role}:${role}`);
  world.env.HAPAX_TOKENS = [world.env.HAPAX_TOKENS, ...more].join(',');
  world.doors.push(await world.start('workers/http.ts'));
  uploader = await Uploader.of(world);
  document = (await world.ask('GET', '/openapi.json', { token: null })).json as Document;
  for (const role of ['viewer', 'operator'] as const)
    people[role] = {
      'static token': `static-${role}`,
      JWT: await issuer.token({ tenant: alpha, sub: role, role }),
      'API key': await newKey(world, alpha, role, '--role', role),
    };
});
afterAll(async () => {
  await uploader.close();
  await world.close();
  await issuer.goAway();
});

const routes = () =>
  Object.entries(document.paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, route]) => ({ method: method.toUpperCase(), path, route })),
  );
/** Lists of what concerns every subject of a tenant. */
const ofAllSubjects = ['/v1/dead-letters', '/v1/differences', '/v1/webhook-endpoints'];
const picture = Buffer.from('the bytes of a picture');

describe('the document of the API', () => {
  it('has the least role of each route, and says what the roles are', () => {
    for (const { path, method, route } of routes()) {
      const usual = method === 'GET' ? 'viewer' : 'caller';
      const operates = /\/(resolve|replay|settle|erase)$|^\/v1\/webhook-endpoints/.test(path);
      const role = operates ? 'operator' : usual;
      const least =
        method === 'GET' && ofAllSubjects.includes(path.replace(/\/\{id\}$/, ''))
          ? [{ token: ['viewer'] }, { token: ['operator'] }]
          : [{ token: [role] }];
      // EventSource sends no headers.
      const inUrl = path.endsWith('/events') ? [{ eventsToken: [] }] : [];
      const security = path === '/v1/config' ? [] : [...least, ...inUrl];
      expect([method, path, route.security]).toEqual([method, path, security]);
    }
    for (const role of roles) expect(document.components.securitySchemes.token?.description).toContain(`\`${role}\``);
  });
});

it('the HTTP API says on /readyz?verbose in which ways it knows its callers', async () => {
  const { status, text } = await world.ask('GET', '/readyz?verbose', { token: null });
  expect(status).toBe(200);
  expect(text).toContain('[+]callers: JWTs of https://issuer.test/. API keys. Static tokens (HAPAX_TOKENS).\n');
});

describe.each(['static token', 'JWT', 'API key'])('a viewer with a %s', (way) => {
  it('looks and lists, and gets 403 on every route that does more, before any claim, replay or effect', async () => {
    const token = people.viewer[way] as string;
    const key = `seen by a viewer with a ${way}`;
    const paid = await world.checkout(key);
    // The same key under the viewer's own subject: were it begun, there would be an answer to replay.
    const own = await world.checkout(key, { cartId: `${key} own` }, { token: 'local-alpha.viewer' });
    expect([paid.status, own.status]).toEqual([201, 201]);
    const part = { checkout: paid.json.id, amount: { minor: 1, currency: 'eur' } };
    const refund = (await world.ask('POST', '/v1/refunds', { key: `a part for ${way}`, body: part })).json.id as string;
    const upload = await uploader.announced(`for a viewer with a ${way}`, picture);
    const file = (await uploader.upload(`file for a viewer with a ${way}`, Buffer.from(way))).json.result
      .assetId as string;
    const body = { email: 'seen@example.com', password: 'correct horse battery staple' };
    const signup = (await world.ask('POST', '/v1/signups', { key: `seen by a viewer with a ${way}`, body })).json
      .id as string;
    await world.until('the sign-up waits', async () => (await world.state(signup)) === 'waiting');
    const endpoint = await world.ask('POST', '/v1/webhook-endpoints', {
      ...{ token: people.operator[way] as string, key: `endpoint for ${way}`, body: { url: 'https://93.184.216.34/' } },
    });
    expect(endpoint.status).toBe(201);
    const before = await allEffects(world);
    let refused = 0;
    for (const { method, path } of routes()) {
      const named: Record<string, string> = {
        assets: file,
        uploads: upload.id,
        refunds: refund,
        signups: signup,
        'webhook-endpoints': endpoint.json.id,
      };
      const id = named[path.split('/')[2] as string] ?? (paid.json.id as string);
      const sentBody = method === 'GET' ? {} : { body: world.cart(key, { cartId: `${key} own` }) };
      for (const sent of [{ key }, { key: null }, { key: 'not, sound' }]) {
        const answer = await world.ask(method, path.replace('{id}', id).replace('{name}', 'thumbnails'), {
          token,
          ...sent,
          ...sentBody,
        });
        if (method === 'GET') {
          expect([path, answer.status]).toEqual([path, 200]);
          continue;
        }
        refused += 1;
        expect([method, path, answer.status, answer.json.code]).toEqual([method, path, 403, 'forbidden']);
        expect(answer.headers.get('idempotent-replayed')).toBeNull();
        expect(answer.text).not.toContain(own.json.id);
      }
    }
    expect(refused).toBeGreaterThanOrEqual(18);
    expect(await allEffects(world)).toEqual(before);
    expect(await world.sql(`select key from hapax.issued_key where subject = 'viewer'`)).toEqual([]);
    expect(await world.state(upload.id)).toBe('waiting');
  });
});

describe('what a caller is shown', () => {
  const listed = async (token: string): Promise<string[]> => {
    const page = (await world.ask('GET', '/v1/operations?limit=200', { token })).json as {
      operations: { id: string }[];
    };
    return page.operations.map(({ id }) => id);
  };
  const looked = async (token: string, id: string) =>
    (await world.ask('GET', `/v1/operations/${id}`, { token })).status;

  it('is its own as a caller; as a viewer or an operator, all of its tenant in its environment, and of no other', async () => {
    await world.sql(
      `insert into hapax.catalogue_item (tenant, environment, sku, name, price_minor, currency, stock)
       values ($1, 'live', 'mug-blue', 'Blue mug', 1250, 'eur', 100) on conflict do nothing`,
      world.tenants.alpha,
    );
    const by = async (token: string): Promise<string> => {
      const paid = await world.checkout(`shown ${token}`, {}, { token });
      expect(paid.status).toBe(201);
      return paid.json.id as string;
    };
    const ann = await by('local-alpha.ann');
    const bob = await by('local-alpha.bob');
    const live = await by('live-alpha');
    const beta = await by('local-beta');
    for (const token of [...Object.values(people.viewer), ...Object.values(people.operator)]) {
      const seen = await listed(token);
      expect([ann, bob, live, beta].map((id) => seen.includes(id))).toEqual([true, true, false, false]);
      expect(await Promise.all([ann, bob, live, beta].map((id) => looked(token, id)))).toEqual([200, 200, 404, 404]);
    }
    expect(await listed('local-alpha.ann')).toEqual([ann]);
    expect(await Promise.all([ann, bob, live, beta].map((id) => looked('local-alpha.ann', id)))).toEqual([
      200, 404, 404, 404,
    ]);
  });

  it.each(ofAllSubjects)('is nothing of %s as a caller, since that shows every subject', async (path) => {
    for (const token of [...Object.values(people.viewer), ...Object.values(people.operator)])
      expect((await world.ask('GET', path, { token })).status).toBe(200);
    for (const token of ['local-alpha', 'local-alpha.ann']) {
      const { status, json } = await world.ask('GET', path, { token });
      expect([status, json]).toMatchObject([403, { code: 'forbidden', role: 'caller', needs: 'viewer or operator' }]);
    }
  });

  it('offers no signed transfer to who may not send the bytes', async () => {
    const { id } = await uploader.announced('offered', picture);
    const offered = async (token: string) => (await world.ask('GET', `/v1/operations/${id}`, { token })).json.transfer;
    expect(await offered('local-alpha')).toMatchObject({ method: 'PUT' });
    expect(await offered('static-viewer')).toBeUndefined();
    expect(await offered('static-operator')).toBeUndefined();
  });
});

describe('an operator', () => {
  it('cancels the operation of another subject of its tenant', async () => {
    const id = await holdConfirm(world, 'cancelled by support');
    const first = world.checkout('cancelled by support', {}, { headers: { prefer: 'wait=30' } });
    await untilHeld(world, 'cancelled by support');
    const strangers = ['local-alpha.ann', 'local-beta', 'live-alpha'];
    for (const token of strangers)
      expect((await world.ask('POST', `/v1/operations/${id}/cancel`, { token })).status).toBe(404);
    expect((await world.ask('POST', `/v1/operations/${id}/cancel`, { token: 'static-operator' })).status).toBe(202);
    await release(world);
    expect((await first).json.code).toBe('cancelled');
  });

  it('begins operations of its own, and shares no key with the subjects that it sees', async () => {
    const theirs = await world.checkout('asked by both');
    const own = await world.checkout('asked by both', { cartId: 'another cart' }, { token: 'static-operator' });
    expect([theirs.status, own.status]).toEqual([201, 201]);
    expect(own.json.id).not.toBe(theirs.json.id);
    expect(await effectsOf(world, 'asked by both')).toMatchObject({ operations: 2, orders: ['paid', 'paid'] });
  });

  it('does not send the bytes of another subject', async () => {
    const { id } = await uploader.announced('not for support', picture);
    for (const [method, path] of [
      ['PUT', `/v1/uploads/${id}/content`],
      ['POST', `/v1/uploads/${id}/complete`],
    ] as const) {
      const answer = await world.ask(method, path, { token: 'static-operator', body: picture });
      expect([path, answer.status, answer.json.code]).toEqual([path, 403, 'forbidden']);
    }
    expect(await uploader.objects(id)).toEqual([]);
    expect(await world.state(id)).toBe('waiting');
  });
});

describe.each(['JWT', 'API key'])('another tenant’s operations, asked for with a %s', (way) => {
  it('look like none on every route that names an operation, whatever headers say', async () => {
    const paid = await world.checkout(`of alpha and not for ${way}`);
    const { beta } = world.tenants;
    const token =
      way === 'JWT'
        ? await issuer.token({ tenant: beta, sub: 'default', role: 'operator' })
        : await newKey(world, beta, 'default', '--role', 'operator');
    const { alpha } = world.tenants;
    const headers = {
      'x-tenant': alpha,
      'x-hapax-tenant': alpha,
      'x-forwarded-user': 'default',
      'x-forwarded-for': '127.0.0.1',
      'x-forwarded-host': 'evil.example',
      forwarded: 'for=127.0.0.1;host=evil.example',
    };
    const found = { step: 'capture', outcome: 'no-effect', evidence: 'none', reason: 'to see it' };
    const withId = routes().filter(({ path }) => path.includes('{id}'));
    expect(withId.length).toBeGreaterThanOrEqual(4);
    const own = /req_[0-9a-f-]{36}|(op|ast)_[0-9a-z]{26}/g;
    for (const { method, path } of withId) {
      const ask = async (id: string) =>
        await world.ask(method, pathFor(path, id), {
          token,
          headers,
          ...(method === 'PUT' ? { body: 'x' } : {}),
          ...(path.endsWith('/resend') ? { key: 'to see it' } : {}),
          ...(path.endsWith('/parts') ? { body: { parts: [{ number: 1, sha256: '0'.repeat(64) }] } } : {}),
          ...(path.endsWith('/resolve') ? { body: found } : {}),
          ...(path.endsWith('/rotate') ? { key: 'not theirs' } : {}),
          ...(path.endsWith('/settle') ? { body: { reason: 'to see it' } } : {}),
        });
      const [theirs, none] = [await ask(paid.json.id), await ask(`op_${'z'.repeat(26)}`)];
      expect([method, path, theirs.status]).toEqual([method, path, 404]);
      expect(theirs.text.replace(own, '')).toBe(none.text.replace(own, ''));
    }
    expect((await world.ask('GET', '/v1/operations', { token, headers })).text).not.toContain(paid.json.id);
    expect(await effectsOf(world, `of alpha and not for ${way}`)).toEqual(paidOnce);
  });
});
