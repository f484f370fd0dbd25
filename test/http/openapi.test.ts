import { deliver, paymentEvent } from '../support/event-sender.ts';
import { pathFor } from '../support/path-for.ts';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import { z } from 'zod';
import { routeCodes } from '../../client/http/problems/route-problems.ts';
import { operationSchema, problemSchema } from '../../client/http/documented/schemas.ts';
import { flows } from '../../workflows/flows.ts';
import { checkoutFlow } from '../../workflows/checkout.flow.ts';
import { isPosted } from '../../workflows/operation/flow.ts';
import { type FailureCode, failure, failureCodes } from '../../workflows/operation/failures.ts';
import { allEffects, effectsOf, paidOnce } from '../conformance/effects.ts';
import { holdConfirm, release, untilHeld } from '../conformance/held.ts';
import { picture } from '../support/upload-lane.ts';
import { sha256, Uploader } from '../support/uploader.ts';
import { type Answered, World } from '../support/world.ts';

type Parameter = {
  readonly in: string;
  readonly name: string;
  readonly required?: boolean;
  readonly description?: string;
  readonly example?: string;
  readonly schema: Schema;
};
type Schema = {
  readonly type?: string;
  readonly format?: string;
  readonly description?: string;
  readonly $ref?: string;
  readonly anyOf?: readonly Schema[];
  readonly properties?: Record<string, Schema>;
  readonly enum?: readonly string[];
  readonly pattern?: string;
};
type Media = {
  readonly schema: Schema;
  readonly example?: unknown;
  readonly examples?: Readonly<Record<string, { readonly value: unknown }>>;
};
type Documented = {
  readonly summary?: string;
  readonly tags?: readonly string[];
  readonly parameters?: readonly Parameter[];
  readonly requestBody?: {
    readonly required: boolean;
    readonly content: Record<
      string,
      { schema: Schema & { required?: string[]; additionalProperties?: unknown }; example?: object }
    >;
  };
  readonly description?: string;
  readonly responses: Record<
    string,
    {
      description: string;
      headers?: Record<string, { schema: Schema; description: string }>;
      content: Record<string, Media>;
    }
  >;
};
type Document = {
  openapi: string;
  info: { title: string; version: string };
  paths: Record<string, Record<string, Documented>>;
  components: { readonly schemas: Record<string, Schema & { readonly enum?: readonly string[] }> };
};

let world: World;
let uploader: Uploader;
let document: Document;
beforeAll(async () => {
  world = await World.create(inject('ground'), { media: true, upkeep: false });
  uploader = await Uploader.of(world);
  document = (await world.ask('GET', '/openapi.json', { token: null })).json as Document;
});
afterAll(async () => {
  await uploader.close();
  await world.close();
});

const routes = () =>
  Object.entries(document.paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, route]) => ({ method: method.toUpperCase(), path, route })),
  );
/** Those that callers begin with a key of theirs. */
const posted = flows.filter(isPosted);
const named = ({ method, path }: { method: string; path: string }) => `${method} ${path}`;
const isWrite = ({ method }: { method: string }) => !['GET', 'HEAD', 'OPTIONS'].includes(method);
const takesKey = ({ route }: { route: Documented }) =>
  route.parameters?.some((one) => one.in === 'header' && one.name === 'idempotency-key') ?? false;

/** A sound request, as the document has it. */
const example = ({ requestBody }: Documented) => requestBody?.content['application/json']?.example;

async function count(text: string, ...values: unknown[]): Promise<number> {
  return Number((await world.sql<{ n: string }>(`select count(*) as n from ${text}`, ...values))[0]?.n);
}

/** Requests about something that has to be there before. */
const ofWhatIsThere: Readonly<Record<string, () => Promise<{ readonly path?: string; readonly more?: object }>>> = {
  refund: async () => ({ more: { checkout: (await world.checkout('to be refunded')).json.id } }),
  cancellation: async () => ({ path: `/v1/orders/${(await world.checkout('to be cancelled')).json.orderId}/cancel` }),
  async resend() {
    const body = { email: 'resent@example.com', password: 'correct horse battery staple' };
    const { id } = (await world.ask('POST', '/v1/signups', { key: 'to be resent', body })).json;
    await world.until('the address is held', async () => (await world.state(id)) === 'waiting');
    await world.sql(`update hapax.signup set mailed_at = mailed_at - interval '2 minutes' where operation_id = $1`, id);
    return { path: `/v1/signups/${id}/resend` };
  },
};

async function webhookEndpoint(key: string) {
  const asked = { token: 'operator-alpha', key, body: { url: 'https://93.184.216.34/' } };
  return (await world.ask('POST', '/v1/webhook-endpoints', asked)).json as { readonly id: string };
}

/** Routes that write and take no key: each is asked twice, and shows that this had one effect. */
const repeatable: Readonly<Record<string, () => Promise<void>>> = {
  // A key alone does nothing: each call gives another name for an operation that nobody has begun.
  async 'POST /v1/keys'() {
    const before = await allEffects(world);
    const keys = await Promise.all([world.ask('POST', '/v1/keys'), world.ask('POST', '/v1/keys')]);
    expect(keys.map(({ status }) => status)).toEqual([201, 201]);
    expect(await allEffects(world)).toEqual(before);
  },
  async 'POST /v1/beacons'() {
    const body = example(document.paths['/v1/beacons']?.post as Documented);
    const answers = [
      await world.ask('POST', '/v1/beacons', { body }),
      await world.ask('POST', '/v1/beacons', { body }),
    ];
    expect(answers.map(({ status }) => status)).toEqual([204, 204]);
    expect(await count('hapax.beacon')).toBe(1);
  },
  // Nothing is kept of a token.
  async 'POST /v1/subjects'() {
    const before = await allEffects(world);
    const tokens = await Promise.all([world.ask('POST', '/v1/subjects'), world.ask('POST', '/v1/subjects')]);
    expect(new Set(tokens.map(({ status, json }) => `${status} ${json.subject}`)).size).toBe(2);
    expect(await allEffects(world)).toEqual(before);
  },
  async 'POST /v1/operations/{id}/cancel'() {
    const id = await holdConfirm(world, 'cancelled-twice');
    const first = world.checkout('cancelled-twice', {}, { headers: { prefer: 'wait=30' } });
    await untilHeld(world, 'cancelled-twice');
    const cancel = () => world.ask('POST', `/v1/operations/${id}/cancel`);
    const answers = [await cancel(), await cancel()];
    await release(world);
    expect((await first).json.code).toBe('cancelled');
    answers.push(await cancel());
    const told = answers.map(({ status, headers }) => [status, headers.get('location')]);
    expect(told).toEqual(Array.from({ length: 3 }, () => [202, `/v1/operations/${id}`]));
    const { operations, orders, receipts, payments } = await effectsOf(world, 'cancelled-twice');
    expect({ operations, orders, receipts }).toEqual({ operations: 1, orders: ['released'], receipts: 0 });
    expect(payments.filter((type) => type === 'payment_intent.canceled')).toHaveLength(1);
    expect(payments).not.toContain('payment_intent.captured');
  },
  // What it does to a step in doubt is shown by test/faults/trouble.test.ts.
  async 'POST /v1/operations/{id}/resolve'() {
    const { id } = (await world.checkout('resolved-twice')).json;
    const before = await allEffects(world);
    const body = { step: 'capture', outcome: 'no-effect', evidence: 'none', reason: 'to see it' };
    const resolve = () => world.ask('POST', `/v1/operations/${id}/resolve`, { token: 'operator-alpha', body });
    const answers = [await resolve(), await resolve()];
    expect(answers.map(({ json }) => json.code)).toEqual(['already-settled', 'already-settled']);
    expect(await allEffects(world)).toEqual(before);
  },
  async 'POST /v1/dead-letters/{id}/replay'() {
    const event = paymentEvent({ id: 'op', orderId: 'ord_of_nobody', paymentIntent: 'pi_1' }, world.tenants.alpha);
    await deliver(world, event);
    const [letter] = await world.sql<{ id: string }>(
      `update hapax.inbox_handling set state = 'dead', code = 'handler-failed', detail = 'To see it.'
       where handler = 'ship' returning id`,
    );
    const { id } = letter ?? expect.unreachable();
    const replay = () => world.ask('POST', `/v1/dead-letters/${id}/replay`, { token: 'operator-alpha' });
    expect((await Promise.all([replay(), replay()])).map(({ status }) => status)).toEqual([202, 202]);
    expect(await count('hapax.inbox_handling where id = $1', id)).toBe(1);
    expect(await count('hapax.shipment where tenant = $1', world.tenants.alpha)).toBe(0);
  },
  async 'POST /v1/differences/{id}/settle'() {
    const id = `df_${'0'.repeat(26)}`;
    await world.sql(
      `insert into hapax.money_difference (id, tenant, environment, kind, provider, object, fact, currency, says)
       values ($1, $2, 'test', 'unknown-payment', 'stripe', 'pi_odd', '', 'eur', 'To see it.')`,
      ...[id, world.tenants.alpha],
    );
    const settle = (reason: string) =>
      world.ask('POST', `/v1/differences/${id}/settle`, { token: 'operator-alpha', body: { reason } });
    const answers = [await settle('first'), await settle('second')];
    expect(answers.map(({ status, json }) => [status, json.reason])).toEqual(Array(2).fill([200, 'first']));
  },
  async 'DELETE /v1/webhook-endpoints/{id}'() {
    const { id } = await webhookEndpoint('deleted twice');
    const remove = () => world.ask('DELETE', `/v1/webhook-endpoints/${id}`, { token: 'operator-alpha' });
    const answers = await Promise.all([remove(), remove()]);
    expect(answers.map(({ status, json }) => [status, json.state])).toEqual(Array(2).fill([200, 'deleted']));
  },
  async 'POST /v1/webhook-endpoints/{id}/enable'() {
    const { id } = await webhookEndpoint('enabled twice');
    const enable = () => world.ask('POST', `/v1/webhook-endpoints/${id}/enable`, { token: 'operator-alpha' });
    const answers = await Promise.all([enable(), enable()]);
    expect(answers.map(({ status, json }) => [status, json.state])).toEqual(Array(2).fill([200, 'enabled']));
  },
  async 'PUT /v1/uploads/{id}/content'() {
    const bytes = Buffer.from('one');
    const announced = await uploader.announced('sent-twice', bytes);
    const answers = [await uploader.send(announced, bytes), await uploader.send(announced, bytes)];
    expect(answers.map(({ status }) => status)).toEqual([200, 200]);
    await uploader.ended(announced.id);
    expect(await count('hapax.transfer where operation_id = $1', announced.id)).toBe(1);
    expect(await count('hapax.asset where operation_id = $1', announced.id)).toBe(1);
    expect(await uploader.objects(announced.id)).toHaveLength(1);
  },
  async 'DELETE /v1/assets/{id}'() {
    const { json } = await uploader.upload('deleted-twice', Buffer.from('four'));
    const remove = () => world.ask('DELETE', `/v1/assets/${json.result.assetId}`);
    const [one, other] = [await remove(), await remove()];
    expect([one.status, one.json.state]).toEqual([200, 'deleted']);
    expect(other.json).toEqual(one.json);
    expect(await uploader.objects(json.id)).toHaveLength(1);
  },
  async 'POST /v1/assets/{id}/restore'() {
    const { json } = await uploader.upload('restored-twice', Buffer.from('five'));
    const path = `/v1/assets/${json.result.assetId}`;
    await world.ask('DELETE', path);
    const answers = [await world.ask('POST', `${path}/restore`), await world.ask('POST', `${path}/restore`)];
    expect(answers.map(({ status, json: { state } }) => [status, state])).toEqual(Array(2).fill([200, 'ready']));
    expect(await uploader.objects(json.id)).toHaveLength(1);
  },
  async 'POST /v1/assets/{id}/derivatives/{name}/retry'() {
    const { json } = await uploader.upload('made-again', await picture(), { type: 'image/png' });
    const asset = json.result.assetId as string;
    await world.sql(
      `update hapax.derivative d set state = 'failed', files = '[]', code = 'step-failed', detail = 'The worker was away.'
       from hapax.asset a where a.id = $1 and d.content_id = a.content_id`,
      asset,
    );
    const retry = () =>
      world.ask('POST', `/v1/assets/${asset}/derivatives/thumbnails/retry`, { headers: { prefer: 'wait=30' } });
    const answers = [...(await Promise.all([retry(), retry()])), await retry()];
    expect(answers.map(({ status, json: { derivatives } }) => [status, derivatives[0].state])).toEqual(
      Array(3).fill([200, 'done']),
    );
    expect(await world.sql(`select from hapax.operation where flow = 'derive'`)).toHaveLength(1);
  },
  async 'POST /v1/uploads/{id}/parts'() {
    const announced = await uploader.announced('signed-twice', Buffer.from('three'));
    const body = { parts: [{ number: 1, sha256: sha256(Buffer.from('three')) }] };
    const sign = () => world.ask('POST', `/v1/uploads/${announced.id}/parts`, { body });
    expect((await Promise.all([sign(), sign()])).map(({ status }) => status)).toEqual([200, 200]);
    expect(await count('hapax.upload_signed_part where operation_id = $1', announced.id)).toBe(1);
    expect(await count('hapax.upload_segment where operation_id = $1', announced.id)).toBe(1);
  },
  async 'POST /v1/uploads/{id}/complete'() {
    const bytes = Buffer.from('two');
    const announced = await uploader.announced('completed-twice', bytes);
    await uploader.send(announced, bytes);
    const answers = [await uploader.complete(announced.id), await uploader.complete(announced.id)];
    await uploader.ended(announced.id);
    answers.push(await uploader.complete(announced.id));
    expect(answers.map(({ status }) => status)).toEqual([200, 200, 200]);
    expect(await count('hapax.transfer where operation_id = $1', announced.id)).toBe(1);
    expect(await count('hapax.asset where operation_id = $1', announced.id)).toBe(1);
  },
};

describe('the document of the API', () => {
  it('is OpenAPI 3.1, complete in itself, and served without a token', () => {
    expect(document.openapi).toMatch(/^3\.1\./);
    expect(document.info.title).toBe('Hapax');
    expect(routes().length).toBeGreaterThanOrEqual(8);
    for (const { path, route, method } of routes()) {
      expect([named({ method, path }), route.summary]).toEqual([named({ method, path }), expect.stringMatching(/./)]);
      const inPath = [...path.matchAll(/\{(\w+)\}/g)].map(([, name]) => name);
      const declared = (route.parameters ?? []).filter((one) => one.in === 'path').map((one) => one.name);
      expect(declared).toEqual(inPath);
      // Each by its number: a range would let any status pass for documented.
      for (const code of Object.keys(route.responses)) expect(code).toMatch(/^[1-5]\d\d$/);
      expect(Object.keys(route.responses)).toEqual(expect.arrayContaining(['400', '429', '500', '503']));
    }
    for (const [, ref] of JSON.stringify(document).matchAll(/"\$ref":"([^"]+)"/g)) {
      const parts = (ref as string).replace(/^#\//, '').split('/');
      expect(parts.reduce<unknown>((at, part) => (at as Record<string, unknown>)?.[part], document)).toBeTypeOf(
        'object',
      );
    }
  });

  it('has the request of each flow, closed, and says that its key is required', () => {
    for (const flow of posted) {
      const route = document.paths[`/v1/${flow.route}`]?.post as Documented;
      const schema = route.requestBody?.content['application/json']?.schema;
      const inPath = (route.parameters ?? []).filter((one) => one.in === 'path').map(({ name }) => name);
      const fields = [...Object.keys(schema?.properties ?? {}), ...inPath];
      expect(fields.toSorted()).toEqual(Object.keys(flow.request.shape).toSorted());
      expect(schema?.additionalProperties).toBe(false);
      expect([...(schema?.required ?? []), ...inPath].length).toBeGreaterThan(0);
      expect(route.parameters).toContainEqual(
        expect.objectContaining({ in: 'header', name: 'idempotency-key', required: true }),
      );
    }
  });

  it('has an example of each request that works as it stands', async () => {
    for (const flow of posted) {
      const route = document.paths[`/v1/${flow.route}`]?.post as Documented;
      const key = route.parameters?.find(({ name }) => name === 'idempotency-key')?.example ?? expect.unreachable();
      const body = example(route) ?? expect.unreachable();
      const { path = `/v1/${flow.route}`, more = {} } = (await ofWhatIsThere[flow.name]?.()) ?? {};
      const sent = { key, token: tokenFor(path), headers: { prefer: 'wait=30' }, body: { ...body, ...more } };
      const answer = await world.ask('POST', path, sent);
      // Only the owner of the address can bring a sign-up to its end.
      const status = flow.name === 'signup' ? 202 : 201;
      expect([flow.name, answer.status, answer.headers.get('idempotency-status')]).toEqual([
        flow.name,
        status,
        'created',
      ]);
      fits(answer, route);
    }
  });

  it('says of each body whether it may be missing, as it may where the path says all', async () => {
    const optional = routes().filter(({ route }) => route.requestBody?.required === false);
    expect(optional.map(named)).toEqual([
      'POST /v1/orders/{orderId}/cancel',
      'POST /v1/subjects/{subject}/erase',
      'POST /v1/signups/{id}/resend',
    ]);
    const { orderId } = (await world.checkout('cancelled without a body')).json;
    const cancelled = await world.ask('POST', `/v1/orders/${orderId}/cancel`, {
      key: 'no body',
      headers: { prefer: 'wait=30' },
    });
    expect(cancelled.status).toBe(201);
    expect((await world.ask('POST', '/v1/refunds', { key: 'no body' })).json.code).toBe('body-malformed');
  });

  it('has an example of each success of a flow, and of the differences, that is what the schema says', () => {
    const flowPaths = posted.map(({ route }) => `/v1/${route}`);
    const shown = routes().filter(
      ({ method, path }) => (method === 'POST' && flowPaths.includes(path)) || path.startsWith('/v1/differences'),
    );
    expect(shown).toHaveLength(posted.length + 2);
    for (const { method, path, route } of shown)
      for (const [status, { content }] of Object.entries(route.responses).filter(([code]) => code.startsWith('2'))) {
        const media = content['application/json'] ?? expect.unreachable();
        expect([method, path, status, examplesIn(media).length > 0]).toEqual([method, path, status, true]);
        for (const one of examplesIn(media)) expect(faultsBy(media.schema, one)).toBeUndefined();
      }
    // Made from the declaration, whose result has the last word.
    for (const { route, result } of posted) {
      const media = document.paths[`/v1/${route}`]?.post?.responses['201']?.content['application/json'];
      const { id, state, ...rest } = examplesIn(media as Media).at(-1) as Record<string, unknown>;
      expect([id, state]).toEqual([expect.stringMatching(/^op_[0-9a-z]{26}$/), 'succeeded']);
      expect(z.strictObject(result.shape).safeParse(rest).error).toBeUndefined();
    }
  });

  it('says what a caller may prefer, and which headers come back', () => {
    const asked = posted.map(({ route }) => document.paths[`/v1/${route}`]?.post as Documented);
    for (const { parameters, responses } of asked) {
      expect(parameters).toContainEqual(expect.objectContaining({ in: 'header', name: 'prefer', required: false }));
      // A success, and a problem that ends an operation.
      for (const status of ['201', '409']) {
        const headers = responses[status]?.headers ?? {};
        expect(Object.keys(headers)).toEqual(
          expect.arrayContaining([
            'Idempotency-Key',
            'Idempotency-Status',
            'Idempotent-Replayed',
            'Idempotency-Expires',
            'Original-Request',
            'Location',
            'Hapax-Workflow-Id',
            'Request-Id',
          ]),
        );
        expect(headers['Idempotency-Status']?.schema.enum).toEqual(['created', 'joined', 'replayed']);
        expect(headers['Idempotent-Replayed']?.schema.enum).toEqual(['true']);
        for (const { description } of Object.values(headers)) expect(description).toMatch(/\w{3}/);
      }
      expect(Object.keys(responses['503']?.headers ?? {})).toContain('Retry-After');
      expect(Object.keys(responses['401']?.headers ?? {})).toContain('WWW-Authenticate');
    }
    const look = document.paths['/v1/operations/{id}']?.get as Documented;
    const prefer = look.parameters?.find(({ name }) => name === 'prefer');
    expect(prefer?.description).toContain('wait=n');
    for (const member of ['retryable', 'sameKeySafe', 'action'])
      expect(document.components.schemas.Problem?.properties?.[member]?.description).toMatch(/\w{3}/);
  });

  it('says that problems are problem+json, and which codes each status may carry', () => {
    for (const { path, method, route } of routes())
      for (const [status, { description, content }] of Object.entries(route.responses)) {
        const bytes = path === '/v1/assets/{id}/content' && status.startsWith('20');
        const sent = bytes ? '*/*' : path.endsWith('/events') ? 'text/event-stream' : 'application/json';
        const type = Number(status[0]) >= 4 ? 'application/problem+json' : sent;
        // What has not changed has no body.
        const bodies = ['204', '304'].includes(status) ? [] : [type];
        expect([method, path, status, Object.keys(content ?? {})]).toEqual([method, path, status, bodies]);
        expect([method, path, status, description]).not.toContain('Default Response');
        if (Number(status[0]) < 4) continue;
        expect(content[type]?.schema).toEqual({ $ref: '#/components/schemas/Problem' });
        for (const [, code = ''] of description.matchAll(/^- `(.+?)`/gm))
          expect([code, failure(code as FailureCode).status]).toEqual([code, Number(status)]);
      }
    // Whatever is in the failure table can come from some route.
    const told = routes().flatMap(({ route }) => Object.values(route.responses).map(({ description }) => description));
    const unasked = flows
      .filter(({ workflow }) => workflow === 'never')
      .flatMap(({ failures = {} }) => Object.keys(failures));
    const { appends, hears, letters } = routeCodes;
    const elsewhere: readonly string[] = [...appends, ...hears, ...letters, ...unasked];
    for (const code of failureCodes(flows).filter((one) => !elsewhere.includes(one)))
      expect(told.join('\n')).toContain(`- \`${code}\``);
    const ended = document.paths['/v1/checkouts']?.post?.responses;
    for (const code of checkoutFlow.refusals) expect(ended?.[failure(code).status]?.description).toContain(code);
    expect(Object.keys(document.paths['/v1/operations']?.get?.responses ?? {})).not.toContain('402');
    expect(document.components.schemas.Problem?.properties?.code).toMatchObject({ enum: failureCodes(flows) });
  });

  it('says what a key, a cursor and a name may be, in patterns that other tools can read', () => {
    const patterns = [...JSON.stringify(document).matchAll(/"pattern":"((?:[^"\\]|\\.)*)"/g)].map(
      ([, pattern]) => JSON.parse(`"${pattern}"`) as string,
    );
    expect(patterns.length).toBeGreaterThan(5);
    // What Python, Go, Rust, Java and ECMAScript read alike: no NUL as \0, no classes by name, no look around, no names,
    // no references, no \u, and no bracket inside brackets that is not escaped.
    for (const pattern of patterns) {
      expect(pattern).not.toMatch(/\\[0-9pPuUkXQE]|\(\?[^:]|\[[^\]]*[^\\\]]\[/);
      expect(() => new RegExp(pattern)).not.toThrow();
      expect(() => new RegExp(pattern, 'u')).not.toThrow();
    }
    const key = document.paths['/v1/checkouts']?.post?.parameters?.find(({ name }) => name === 'idempotency-key');
    expect(key?.schema.anyOf).toEqual([
      expect.objectContaining({ minLength: 1, maxLength: 255, pattern: expect.any(String) }),
      expect.objectContaining({ pattern: expect.stringMatching(/^\^"/) }),
    ]);
    const list = document.paths['/v1/operations']?.get?.parameters ?? [];
    const after = list.find(({ name }) => name === 'after')?.schema;
    expect(after?.pattern).toBe('^[A-Za-z0-9_-]{72}$');
    const page = document.paths['/v1/operations']?.get?.responses['200']?.content['application/json']?.schema;
    expect(page?.properties?.next?.pattern).toBe(after?.pattern);
  });

  it('says how the bytes of an upload are sent, in both ways', () => {
    const announce = document.paths['/v1/uploads']?.post as Documented;
    const [open] = announce.responses['201']?.content['application/json']?.schema.anyOf ?? [];
    expect(Object.keys(open?.properties ?? {})).toEqual(['id', 'state', 'awaits', 'next', 'expiresAt', 'transfer']);
    const transfers = ['Transfer', 'MultipartTransfer'].map((name) => ({ $ref: `#/components/schemas/${name}` }));
    expect(open?.properties?.transfer?.anyOf).toEqual(transfers);
    expect(Object.keys(document.components.schemas.Transfer?.properties ?? {})).toEqual([
      'method',
      'url',
      'headers',
      'offset',
      'chunk',
      'complete',
    ]);
    const inParts = document.components.schemas.MultipartTransfer?.properties;
    expect(Object.keys(inParts ?? {})).toEqual(['partSize', 'count', 'arrived', 'parts', 'sign', 'complete']);
    for (const word of ['transfer', 'presigned', 'complete']) expect(announce.description).toContain(word);
    const content = document.paths['/v1/uploads/{id}/content']?.put?.requestBody?.content['application/octet-stream'];
    expect(content?.schema).toMatchObject({ type: 'string', format: 'binary' });
  });

  it('is shown to people at /docs', async () => {
    const page = await world.ask('GET', '/docs', { token: null });
    expect([page.status, page.headers.get('content-type')]).toEqual([200, 'text/html; charset=utf-8']);
    expect(page.text).toContain('<title>Hapax</title>');
    const script = await world.ask('GET', '/docs/static/swagger-ui-bundle.js', { token: null });
    expect(script.status).toBe(200);
  });
});

/** By the document alone: its schemas read as what they are in OpenAPI 3.1, JSON Schema 2020-12. */
function fits({ status, headers, json, text }: Answered, { responses }: Documented): void {
  const { content } = responses[status] ?? expect.unreachable(`${status} is not documented`);
  if (status === 204) return expect([content, text]).toEqual([undefined, '']);
  const type = (headers.get('content-type') ?? '').split(';')[0] ?? '';
  expect(Object.keys(content)).toContain(type);
  expect(faultsBy(content[type]?.schema, type === 'text/event-stream' ? text : json)).toBeUndefined();
}

/** Who may begin such an operation. */
function tokenFor(path: string): string {
  return path.endsWith('/erase') || path.startsWith('/v1/webhook-endpoints') ? 'operator-alpha' : 'local-alpha';
}

function faultsBy(documented: Schema | undefined, json: unknown): z.ZodError | undefined {
  const whole = { ...documented, $defs: document.components.schemas };
  const schema = JSON.parse(JSON.stringify(whole).replaceAll('#/components/schemas/', '#/$defs/')) as object;
  return z.fromJSONSchema(schema as z.core.JSONSchema.JSONSchema).safeParse(json).error;
}

function examplesIn({ example: one, examples = {} }: Media): readonly unknown[] {
  return one === undefined ? Object.values(examples).map(({ value }) => value) : [one];
}

describe('each route that is documented', () => {
  it('writes only under a key, or once however often it is asked', async () => {
    const known: string[] = [];
    for (const one of routes().filter(isWrite)) {
      const name = named(one);
      known.push(name);
      if (!takesKey(one)) {
        const shown = repeatable[name];
        if (shown === undefined) throw new Error(`${name} takes no key: show here that asking twice has one effect`);
        await shown();
        continue;
      }
      const body = example(one.route);
      expect([name, body !== undefined]).toEqual([name, one.route.requestBody !== undefined]);
      const before = await allEffects(world);
      const refused = await world.ask(one.method, one.path, { token: tokenFor(one.path), body });
      expect([name, refused.status, refused.json.code]).toEqual([name, 400, 'key-missing']);
      expect(await allEffects(world)).toEqual(before);
    }
    expect(Object.keys(repeatable).filter((name) => !known.includes(name))).toEqual([]);
  });

  it('answers with what is documented', async () => {
    const paid = await world.checkout('documented');
    const { id } = await uploader.announced('documented-upload', Buffer.from('abc'));
    for (const { method, path, route } of routes()) {
      const target = pathFor(path, path.includes('/uploads/') ? id : paid.json.id);
      const bytes =
        method === 'PUT'
          ? { body: 'abc', headers: { 'content-type': 'application/octet-stream' } }
          : { body: example(route) };
      const answer: Answered = await world.ask(method, target, { key: 'walked', ...bytes });
      const codes = Object.keys(route.responses);
      expect([method, path, codes]).toEqual([method, path, expect.arrayContaining([String(answer.status)])]);
      fits(answer, route);
      expect(answer.status).toBeLessThan(500);
      if (answer.status >= 400) problemSchema.parse(answer.json);
    }
    const [announce, look] = ['/v1/uploads', '/v1/operations/{id}'].map((path) => document.paths[path]);
    for (const transfer of ['door', 'presigned']) {
      const changes = { transfer, sha256: sha256(Buffer.from('abc')) };
      const announced = await uploader.announce(`documented-${transfer}`, Buffer.from('abc'), changes);
      fits(announced, announce?.post as Documented);
      fits(await world.ask('GET', `/v1/operations/${announced.json.id}`), look?.get as Documented);
    }
    operationSchema({}).parse((await world.ask('GET', `/v1/operations/${paid.json.id}`)).json);
    for (const operation of (await world.ask('GET', '/v1/operations')).json.operations)
      operationSchema({}).parse(operation);
    // The walk came by the route that cancels its order.
    expect(await effectsOf(world, 'documented')).toEqual({ ...paidOnce, orders: ['cancelled'] });
  });

  it('is all there is: no flow has a door beside it', () => {
    const paths = Object.keys(document.paths);
    for (const flow of posted) expect(paths).toContain(`/v1/${flow.route}`);
    expect(paths.filter((path) => !path.startsWith('/v1/'))).toEqual([]);
  });
});

it.each([
  ['JSON that is cut', '{', 'application/json'],
  ['no JSON', '<cancel/>', 'application/xml'],
  ['nothing, as JSON', undefined, 'application/json'],
])('a route that needs no body asks nothing of the one that comes: %s', async (_, body, type) => {
  const { id } = (await uploader.announced(`bodies-${body?.length}`, Buffer.from('abc'))) as { id: string };
  const sent = { headers: { 'content-type': type }, ...(body === undefined ? {} : { body }) };
  expect((await world.ask('POST', '/v1/keys', sent)).status).toBe(201);
  // Judged as one without a body: its bytes have not come.
  expect((await world.ask('POST', `/v1/uploads/${id}/complete`, sent)).json.code).toBe('bytes-missing');
  expect((await world.ask('POST', `/v1/operations/${id}/cancel`, sent)).status).toBe(202);
});

it('what a token shows is kept by no cache', async () => {
  const { id } = (await world.checkout('uncached')).json;
  for (const path of ['/v1/operations', `/v1/operations/${id}`, '/v1/operations/op_none'])
    expect((await world.ask('GET', path)).headers.get('cache-control')).toBe('no-store');
});

it('a door starts without a warning', async () => {
  const log = await readFile(join(world.directory, 'workers-http.ts.log'), 'utf8');
  expect(log).toContain('http ready');
  expect(log).not.toMatch(/warning|deprecat/i);
});

describe('a list', () => {
  it('is read page by page, each operation once, newest first, whatever is added meanwhile', async () => {
    const refused = async () => (await world.ask('GET', '/v1/operations?flow=checkout&state=refused')).json.operations;
    const before = ((await refused()) as { key: string }[]).map(({ key }) => key);
    for (let n = 0; n < 7; n += 1) await world.checkout(`paged-${n}`, { items: [{ sku: 'poster', quantity: 1 }] });
    const seen: string[] = [];
    let next: string | undefined;
    do {
      const page = (
        await world.ask(
          'GET',
          `/v1/operations?flow=checkout&state=refused&limit=3${next === undefined ? '' : `&after=${next}`}`,
        )
      ).json as {
        operations: { key: string }[];
        next?: string;
      };
      seen.push(...page.operations.map(({ key }) => key));
      await world.checkout(`added-${seen.length}`, { items: [{ sku: 'poster', quantity: 1 }] });
      ({ next } = page);
    } while (next !== undefined);
    expect(seen).toEqual([...Array.from({ length: 7 }, (_, n) => `paged-${6 - n}`), ...before]);
    expect((await world.ask('GET', '/v1/operations?key=paged-3')).json.operations).toHaveLength(1);
  });
});
