import { Webhook } from 'standardwebhooks';
import { afterAll, afterEach, beforeAll, describe, expect, inject, it } from 'vitest';
import { messageId } from '../../workflows/operation/key.ts';
import { WebhookReceiver } from '../support/webhook-receiver.ts';
import { World } from '../support/world.ts';

const worker = 'test/support/faulty-mail-worker.ts';
const senders = [worker, 'workers/mail.ts'];

let world: World;
let receiver: WebhookReceiver;
let operation: string;
beforeAll(async () => {
  receiver = await WebhookReceiver.start();
  world = await World.create(inject('ground'), { upkeep: false, env: { HAPAX_WEBHOOK_LOOPBACK: 'on' } });
  operation = (await world.checkout('tells', {}, { headers: { prefer: 'wait=30' } })).json.id as string;
});
afterAll(async () => {
  await world.close();
  await receiver.goAway();
});

/** No sender of one test sends what the next one tells, and nobody wants it any more. */
afterEach(async () => {
  receiver.answer = (response) => response.writeHead(204).end();
  await Promise.all(senders.flatMap((name) => world.running(name)).map((sender) => sender.kill()));
  await world.sql('update hapax.webhook_endpoint set deleted_at = now() where deleted_at is null');
  await world.sql(`delete from hapax.delivery where channel = 'webhook'`);
});

const operator = { token: 'operator-alpha' };
const path = '/v1/webhook-endpoints';
const create = (key: string, body: object, token = 'operator-alpha') => world.ask('POST', path, { token, key, body });

/** An endpoint of its own place at the receiver. */
async function endpoint(key: string, more: object = {}, url = `${receiver.url}/${key}`) {
  const { status, json } = await create(key, { url, ...more });
  expect(status).toBe(201);
  return { id: json.id as string, secret: json.secret as string, place: `/hooks/${key}` };
}

/** What a step would tell. @returns the message's id */
async function told(says: string, type = 'test.told', payload: object = {}): Promise<string> {
  const id = messageId(operation, says);
  const values = [id, operation, says, type, JSON.stringify(payload)];
  await world.sql(`select hapax.tell($1, $2, 'event', 'test', $3, $4, $5)`, ...values);
  return id;
}

const rows = (message: string) =>
  world.sql<{ state: string; code: string | null; fence: string; tries: number; endpoint_id: string }>(
    'select * from hapax.delivery where message_id = $1 order by endpoint_id',
    message,
  );
const became = (message: string, state: string, within?: number) =>
  world.until(
    `${message} is ${state}`,
    async () => (await rows(message)).every((row) => row.state === state) && (await rows(message)).length > 0,
    within,
  );
const due = (when: 'now' | 'later') =>
  world.sql(
    `update hapax.delivery set next_at = now() + $1::interval where state in ('due', 'sending')`,
    when === 'now' ? '0' : '1 hour',
  );
const letters = async (token = 'operator-alpha') =>
  (await world.ask('GET', '/v1/dead-letters?handler=webhook', { token })).json.deadLetters;

describe('an endpoint', () => {
  it('is created once however often it is asked for, and keeps its secret to those who may change it', async () => {
    const body = { url: `${receiver.url}/mine`, types: ['b.b', 'a.a', 'b.b'], description: 'Mine' };
    const answers = await Promise.all(Array.from({ length: 4 }, () => create('once', body)));
    const [first] = answers;
    expect(answers.map(({ status, text }) => [status, text])).toEqual(Array(4).fill([201, first?.text]));
    const { secret, ...shown } = first?.json ?? expect.unreachable();
    expect(shown).toMatchObject({ ...body, types: ['a.a', 'b.b'], state: 'enabled' });
    expect(secret).toMatch(/^whsec_[A-Za-z0-9+/]{43}=$/);
    expect(await world.sql('select from hapax.webhook_endpoint where id = $1', shown.id)).toHaveLength(1);
    expect((await create('once more', body)).json).not.toMatchObject({ secret });
    for (const other of [{ url: `${receiver.url}/other` }, { url: body.url }, { ...body, description: 'Yours' }])
      expect((await create('once', other)).json).toMatchObject({ status: 422, code: 'key-reused' });
    const one = await world.ask('GET', `${path}/${shown.id}`, operator);
    expect([one.status, one.json]).toEqual([200, shown]);
    const page = (await world.ask('GET', `${path}?limit=1`, operator)).json;
    expect(page.endpoints).toHaveLength(1);
    const next = (await world.ask('GET', `${path}?after=${page.next}`, operator)).json;
    expect(next.endpoints.map(({ id }: { id: string }) => id)).toContain(shown.id);
    expect(JSON.stringify([page, next])).not.toContain('whsec_');
  });

  it('is nobody else’s: of another tenant or environment, or of a caller without the right', async () => {
    const { id } = await endpoint('alphas');
    for (const token of ['operator-beta', 'operator-live-alpha']) {
      expect((await world.ask('GET', path, { token })).json).toEqual({ endpoints: [] });
      for (const [method, at] of [
        ['GET', ''],
        ['DELETE', ''],
        ['POST', '/enable'],
        ['POST', '/rotate'],
      ] as const)
        expect([at, (await world.ask(method, `${path}/${id}${at}`, { token, key: 'k' })).status]).toEqual([at, 404]);
    }
    for (const token of ['local-alpha', 'local-beta'])
      expect((await create('by a caller', { url: receiver.url }, token)).status).toBe(403);
    // The same key of another tenant is another endpoint.
    expect((await create('alphas', { url: `${receiver.url}/alphas` }, 'operator-beta')).json.id).not.toBe(id);
    const message = await told('for alpha alone');
    expect((await rows(message)).map(({ endpoint_id }) => endpoint_id)).toEqual([id]);
  });

  it.each([
    ['http://shop.example.com/', 'https://'],
    ['https://127.0.0.2/', 'no address of the Internet'],
    ['https://169.254.169.254/latest/meta-data/', 'no address of the Internet'],
    ['https://[::ffff:10.0.0.1]/', 'no address of the Internet'],
    ['https://no-such-name.invalid/', 'no address of the Internet'],
    ['https://ann:secret@shop.example.com/', 'user or a password'],
  ])('is refused where it leads into a network of somebody, or nowhere: %s', async (url, why) => {
    const { status, json } = await create(`refused ${url}`, { url });
    expect([status, json.code, json.errors?.[0]?.pointer]).toEqual([400, 'request-invalid', '/url']);
    expect(json.detail).toContain(why);
  });

  it('that is deleted gets nothing more, and its key creates no other one', async () => {
    const { id } = await endpoint('deleted');
    const message = await told('while it was there');
    const remove = () => world.ask('DELETE', `${path}/${id}`, operator);
    expect([(await remove()).json, (await remove()).json]).toEqual(Array(2).fill({ id, state: 'deleted' }));
    expect(await rows(message)).toEqual([]);
    expect((await world.ask('GET', `${path}/${id}`, operator)).status).toBe(404);
    expect((await create('deleted', { url: `${receiver.url}/deleted` })).json.code).toBe('key-expired');
  });
});

describe('an event', () => {
  it('arrives once at each endpoint that wants its type, signed so that the receiver can verify it', async () => {
    const one = await endpoint('one', { types: ['test.told'] });
    const all = await endpoint('all');
    await endpoint('other', { types: ['test.other'] });
    const message = await told('signed', 'test.told', { name: 'Größe' });
    await world.start('workers/mail.ts');
    await became(message, 'sent');
    expect([one, all].map(({ place }) => receiver.times(message, place))).toEqual([1, 1]);
    expect(receiver.times(message)).toBe(2);
    for (const { place, secret } of [one, all]) {
      const { headers, body } = receiver.arrived.findLast((arrived) => arrived.path === place) ?? expect.unreachable();
      expect(new Webhook(secret).verify(body, headers as Record<string, string>)).toMatchObject({
        ...{ id: message, type: 'test.told', subject: 'test/signed', data: { name: 'Größe' } },
        ...{ sequence: '0000000000000000001', hapaxoperation: operation },
        source: `/hapax/${world.tenants.alpha}/test`,
      });
      expect(headers['webhook-id']).toBe(message);
    }
  });

  it('is signed with both secrets after a rotation, which a retry does not repeat', async () => {
    const { id, secret, place } = await endpoint('rotated');
    const rotate = () => world.ask('POST', `${path}/${id}/rotate`, { ...operator, key: 'rotation' });
    const answers = await Promise.all([rotate(), rotate()]);
    expect(answers.map(({ status }) => status)).toEqual([200, 200]);
    const newer = answers[0]?.json.secret as string;
    expect([answers[1]?.json.secret, newer === secret]).toEqual([newer, false]);
    expect((await world.ask('POST', `${path}/${id}/rotate`, { ...operator, key: null })).json.code).toBe('key-missing');
    const kept = await world.sql<{ secret: string }>(
      'select secret from hapax.webhook_secret where endpoint_id = $1',
      id,
    );
    expect(kept.map((row) => row.secret.startsWith('sealed:1:'))).toEqual([true, true]);
    // As the former build has written it.
    await world.sql(
      'update hapax.webhook_secret set secret = $2 where endpoint_id = $1 and signs_until is not null',
      id,
      secret,
    );
    const message = await told('after the rotation');
    await world.start('workers/mail.ts');
    await became(message, 'sent');
    const { headers, body } = receiver.arrived.findLast((arrived) => arrived.path === place) ?? expect.unreachable();
    for (const known of [newer, secret]) new Webhook(known).verify(body, headers as Record<string, string>);
    expect((headers['webhook-signature'] as string).split(' ')).toHaveLength(2);
    // A retry of the creation still gets what it made.
    expect((await create('rotated', { url: `${receiver.url}/rotated` })).json.secret).toBe(secret);
  });

  it('is never lost by a sender that is killed, and comes twice, under one id, only where it had arrived', async () => {
    await endpoint('killed');
    const points = ['before-mark', 'after-mark', 'after-send', 'after-confirm'];
    const messages: string[] = [];
    for (const point of points) {
      const message = await told(`killed ${point}`);
      messages.push(message);
      const sender = await world.start(worker, {}, ['kill', point]);
      await sender.gone();
      // A record counts, too.
      expect((await rows(message))[0]?.fence).toBe(point === 'after-confirm' ? '2' : '1');
      await due('later');
    }
    await due('now');
    await world.start('workers/mail.ts');
    for (const message of messages) await became(message, 'sent');
    expect(messages.map((message) => receiver.times(message))).toEqual([1, 1, 2, 1]);
    const bodies = receiver.arrived.filter(({ headers }) => headers['webhook-id'] === messages[2]);
    expect(bodies[1]?.body).toBe(bodies[0]?.body);
  });

  it('to a receiver that is gone disables the endpoint, and is sent again when a person enables it and replays it', async () => {
    const { id, place } = await endpoint('gone');
    receiver.answer = (response) => response.writeHead(410).end();
    const message = await told('to one that is gone');
    await world.start('workers/mail.ts');
    await became(message, 'failed');
    const shown = (await world.ask('GET', `${path}/${id}`, operator)).json;
    expect(shown).toMatchObject({ state: 'disabled', disabledBecause: 'The receiver answered 410 (Gone).' });
    expect(await rows(await told('while it was disabled'))).toEqual([]);
    const [letter, ...others] = await letters();
    expect([letter, others]).toMatchObject([
      { event: message, code: 'endpoint-disabled', endpoint: id, handler: 'webhook', source: 'outbox', tries: 1 },
      [],
    ]);
    expect([await letters('operator-beta'), await letters('operator-live-alpha')]).toEqual([[], []]);
    receiver.answer = (response) => response.writeHead(204).end();
    const replay = () => world.ask('POST', `/v1/dead-letters/${letter.id}/replay`, operator);
    // Nothing goes there until it is enabled.
    expect((await replay()).status).toBe(202);
    await world.until('it is dead again', async () => (await letters()).length === 1);
    expect((await world.ask('POST', `${path}/${id}/enable`, operator)).json.state).toBe('enabled');
    expect((await replay()).status).toBe(202);
    await became(message, 'sent');
    expect(receiver.times(message, place)).toBe(2);
    expect((await replay()).json.code).toBe('not-a-dead-letter');
  });

  it('that no receiver takes for days is a dead letter, and arrives under the same id once it is replayed', async () => {
    const { place } = await endpoint('failing');
    receiver.answer = (response) => response.writeHead(500, 'whsec_reason').end('whsec_body');
    const message = await told('for days');
    await world.start('workers/mail.ts');
    await world.until('it was tried', async () => {
      const [row] = await rows(message);
      return row?.state === 'due' && row.code === 'delivery-failed';
    });
    await world.sql(
      `update hapax.delivery set due_since = now() - interval '4 days', next_at = now() where message_id = $1`,
      message,
    );
    await became(message, 'failed');
    const [letter] = await letters();
    expect(letter).toMatchObject({ event: message, code: 'delivery-failed', detail: 'The receiver answered 500.' });
    // Two, unless its own next try came before the days had passed.
    const tries = receiver.times(message, place);
    expect(tries).toBe((await rows(message))[0]?.tries);
    receiver.answer = (response) => response.writeHead(200).end();
    await world.ask('POST', `/v1/dead-letters/${letter.id}/replay`, operator);
    await became(message, 'sent');
    expect(receiver.times(message, place)).toBe(tries + 1);
  });

  it('is in time though another endpoint hangs, and another one fails for ten thousand others', async () => {
    const dead = await WebhookReceiver.start();
    await endpoint('dead', { types: ['test.dead'] }, dead.url);
    await dead.goAway();
    await endpoint('hangs', { types: ['test.hangs'] });
    const { place } = await endpoint('good', { types: ['test.good'] });
    receiver.answer = (response, { path: at }) => void (at === place && response.writeHead(204).end());
    await world.sql(
      `select hapax.tell('msg_' || lpad(n::text, 26, '0'), $1, 'event', 'test', 'many ' || n, 'test.dead', '{}')
       from generate_series(1, 10000) n`,
      operation,
    );
    for (let n = 0; n < 20; n += 1) await told(`hangs ${n}`, 'test.hangs');
    await world.start('workers/mail.ts');
    await world.until('both are busy', async () => {
      const [tried] = await world.sql<{ n: string }>(
        `select count(*) as n from hapax.delivery where code = 'delivery-failed'`,
      );
      return Number(tried?.n) >= 5 && receiver.arrived.filter(({ path: at }) => at === '/hooks/hangs').length >= 4;
    });
    const messages = await Promise.all(Array.from({ length: 40 }, (_, n) => told(`good ${n}`, 'test.good')));
    // Without a share of its own the first of them would wait for the ten thousand: for hours, with their pauses.
    for (const message of messages) await became(message, 'sent');
    expect(messages.map((message) => receiver.times(message))).toEqual(Array(40).fill(1));
    const [many] = await world.sql<{ tries: string }>(
      `select sum(tries) as tries from hapax.delivery d join hapax.outbox o on o.id = d.message_id where o.type = 'test.dead'`,
    );
    // The breaker leaves the dead one alone: it costs no more than these.
    expect(Number(many?.tries)).toBeLessThan(20);
  });
});
