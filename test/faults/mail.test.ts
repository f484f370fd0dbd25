import { afterAll, afterEach, beforeAll, describe, expect, inject, it } from 'vitest';
import { messageId } from '../../workflows/operation/key.ts';
import { frozen as isFrozen } from '../support/lane.ts';
import { MailCatcher } from '../support/mail-catcher.ts';
import { type Answered, World } from '../support/world.ts';

const worker = 'test/support/faulty-mail-worker.ts';
const patient = { headers: { prefer: 'wait=30' } };
/** Leases that end by themselves and mails that take long, one after the other. Milliseconds. */
const severalLeases = 150_000;

let world: World;
let catcher: MailCatcher;
let provider: string;
let operation: string;
beforeAll(async () => {
  catcher = await MailCatcher.start();
  world = await World.create(inject('ground'), {
    upkeep: false,
    env: { SMTP_URL: catcher.url, MAIL_FROM: 'The shop <shop@hapax.test>' },
  });
  provider = world.sandbox.address;
  operation = (await world.checkout('tells', {}, patient)).json.id as string;
});
afterAll(async () => {
  await world.close();
  await catcher.goAway();
});

/** No sender of one test takes the messages of the next. */
afterEach(async () => {
  catcher.manner = {};
  await Promise.all([worker, 'workers/mail.ts'].flatMap((name) => world.running(name)).map((sender) => sender.kill()));
});

/** A receipt that is to leave for an address of its own. @returns the message's id */
async function paid(to: string): Promise<string> {
  const answer = await world.checkout(to.replaceAll(/\W/g, '-'), { email: to }, patient);
  expect(answer.status).toBe(201);
  return messageId(answer.json.id as string, 'receipt.requested');
}

/** What a step of a flow of the tests' own would tell. @returns the message's id */
async function told(channel: 'mail' | 'sms', type: string, payload: Record<string, string>): Promise<string> {
  const id = messageId(operation, JSON.stringify([type, payload]));
  const values = [id, operation, channel, id, type, JSON.stringify(payload)];
  await world.sql(`select hapax.tell($1, $2, $3, 'test', $4, $5, $6)`, ...values);
  return id;
}

const row = async (message: string) =>
  (await world.sql<Record<string, unknown>>('select * from hapax.delivery where message_id = $1', message))[0];
const became = (message: string, state: string, within?: number) =>
  world.until(`${message} is ${state}`, async () => (await row(message))?.state === state, within);
/** Whatever is open is nobody's any more, and due now or in an hour. */
const due = (when: 'now' | 'later') =>
  world.sql(
    `update hapax.delivery set next_at = now() + $1::interval where state in ('due', 'sending')`,
    when === 'now' ? '0' : '1 hour',
  );
const letters = async () =>
  (await world.ask('GET', '/v1/dead-letters?source=outbox', { token: 'operator-alpha' })).json;
const replay = (message: string): Promise<Answered> =>
  world.ask('POST', `/v1/dead-letters/${message.replace('msg_', 'dl_')}/replay`, { token: 'operator-alpha' });

/** Lets one message be handed over by a sender that dies at this point. */
async function diesAt(point: string, message: string, env: Record<string, string> = {}): Promise<void> {
  const sender = await world.start(worker, env, ['kill', point]);
  await sender.gone();
  // A record counts, too.
  expect((await row(message))?.fence).toBe(point === 'after-confirm' ? '2' : '1');
  await due('later');
}

it('the receipt of a checkout that is asked for again and again arrives once, with what was bought', async () => {
  const to = 'often@example.com';
  const asked = await Promise.all(Array.from({ length: 5 }, () => world.checkout('often', { email: to }, patient)));
  const { id, orderId } = asked[0]?.json ?? expect.unreachable();
  const sender = await world.start('workers/mail.ts');
  const message = messageId(id as string, 'receipt.requested');
  await became(message, 'sent');
  asked.push(await world.checkout('often', { email: to }));
  expect(new Set(asked.map(({ status }) => status))).toEqual(new Set([201]));
  await world.until('nothing is left to send', async () => {
    const [open] = await world.sql<{ count: string }>(
      `select count(*) as count from hapax.delivery where state in ('due', 'sending')`,
    );
    return open?.count === '0';
  });
  const arrived = catcher.for(to);
  expect(arrived.map((mail) => mail.id)).toEqual([`${message}@hapax.test`]);
  expect(arrived[0]?.source).toContain(`Subject: [test] Your receipt for order ${orderId}`);
  expect(arrived[0]?.source).toContain('12.50 EUR');
  expect((await world.sql('select from hapax.delivery where message_id = $1', message)).length).toBe(1);
  // An order without an address has its receipt in the outbox, and nobody to send it to.
  expect(await row(messageId(operation, 'receipt.requested'))).toBeUndefined();
  const ready = await (await fetch(`${sender.address}/readyz?verbose`)).text();
  expect(ready).toContain('[+]mail: Leaves by the mail server.');
});

describe('a sender that is killed', () => {
  it('loses no receipt, and doubles one only between the server’s yes and the record', async () => {
    const points = ['before-mark', 'after-mark', 'after-send', 'after-confirm'];
    for (const point of points) await diesAt(point, await paid(`${point}@example.com`));
    await due('now');
    const next = await world.start(worker);
    for (const point of points) await became(await ofKey(`${point}@example.com`), 'sent');
    await next.stop();
    expect(points.map((point) => catcher.for(`${point}@example.com`).length)).toEqual([1, 1, 2, 1]);
    const ids = catcher.for('after-send@example.com').map(({ id }) => id);
    expect(ids[1]).toBe(ids[0]);
  });

  it('sends a mail that is declared so at most once, and lets a person decide about what may have left', async () => {
    const points = ['before-mark', 'after-mark', 'after-send'];
    const messages: string[] = [];
    for (const point of points) {
      const message = await told('mail', 'test.once', { email: `once-${point}@example.com` });
      messages.push(message);
      await diesAt(point, message);
    }
    await due('now');
    await world.start(worker);
    const [free, early, late] = messages as [string, string, string];
    await became(free, 'sent');
    await became(early, 'failed');
    await became(late, 'failed');
    const count = () => points.map((point) => catcher.for(`once-${point}@example.com`).length);
    expect(count()).toEqual([1, 0, 1]);
    const { deadLetters } = await letters();
    expect(deadLetters.map(({ event }: { event: string }) => event).toSorted()).toEqual([early, late].toSorted());
    for (const letter of deadLetters)
      expect(letter).toMatchObject({
        ...{ id: letter.event.replace('msg_', 'dl_'), state: 'dead', handler: 'mail', source: 'outbox' },
        ...{ type: 'test.once', operation, code: 'delivery-in-doubt', tries: 2 },
      });
    expect((await replay(early)).status).toBe(202);
    await became(early, 'sent');
    expect(count()).toEqual([1, 1, 1]);
    await world.sql(`delete from hapax.outbox where id = $1`, late);
  });

  it('doubles nothing where the provider knows ids: a mail by HTTP, and a text message', async () => {
    const env = {
      ...{ SMTP_URL: '', MAIL_PROVIDER_URL: `${provider}/messages/mail`, MAIL_PROVIDER_KEY: 'key' },
      ...{ SMS_PROVIDER_URL: `${provider}/messages/sms`, SMS_PROVIDER_KEY: 'key' },
    };
    const mail = await paid('keyed@example.com');
    await diesAt('after-send', mail, env);
    const once = await told('mail', 'test.once', { email: 'once-keyed@example.com' });
    await diesAt('after-send', once, env);
    const text = await told('sms', 'test.text', { phone: '+4915112345678' });
    await diesAt('after-send', text, env);
    await due('now');
    const next = await world.start(worker, env);
    for (const message of [mail, once, text]) await became(message, 'sent');
    await next.stop();
    const taken = (await (await fetch(`${provider}/messages`)).json()) as { key: string }[];
    expect(taken.map(({ key }) => key).toSorted()).toEqual([mail, once, text].toSorted());
  });
});

it('a sender that is frozen in its last moment sends nothing when it thaws, and one that waits long keeps what it has', {
  timeout: severalLeases,
}, async () => {
  const to = ['frozen@example.com', 'slow@example.com', 'thawed@example.com'] as const;
  const message = await paid(to[0]);
  const frozen = await world.start(worker, {}, ['freeze', 'after-mark']);
  await became(message, 'sending');
  await isFrozen(world, frozen);
  // Longer than a lease.
  catcher.manner = { late: (address) => (address === to[1] ? 20_000 : 0) };
  const slow = await paid(to[1]);
  await world.start(worker);
  await became(slow, 'sending');
  // The lease of the frozen one ends by itself.
  await became(message, 'sent', 40_000);
  frozen.signal('SIGCONT');
  await became(await paid(to[2]), 'sent');
  await became(slow, 'sent', 40_000);
  expect(to.map((address) => catcher.for(address).length)).toEqual([1, 1, 1]);
  expect([(await row(message))?.tries, (await row(slow))?.tries]).toEqual([2, 1]);
});

it('a sender that is to stop waits for the answer to what it has handed over', async () => {
  const to = 'stopping@example.com';
  // Longer than a stop used to wait.
  catcher.manner = { late: () => 5_000 };
  const sender = await world.start('workers/mail.ts');
  const message = await paid(to);
  await world.until('the server has it', async () => catcher.for(to).length === 1);
  // Nobody kills it, however long it takes.
  sender.signal('SIGTERM');
  await sender.gone();
  expect(await row(message)).toMatchObject({ state: 'sent', tries: 1, may_have_left_by: null });
  expect(catcher.for(to)).toHaveLength(1);
});

it('a provider’s lost answer stays a doubt when mail leaves by a mail server from then on', async () => {
  const env = { SMTP_URL: '', MAIL_PROVIDER_URL: `${provider}/messages/mail`, MAIL_PROVIDER_KEY: 'key' };
  const message = await told('mail', 'test.once', { email: 'switched@example.com' });
  await diesAt('after-send', message, env);
  expect(await row(message)).toMatchObject({ may_have_left_by: `${provider}/messages/mail` });
  await due('now');
  await world.start(worker);
  await became(message, 'failed');
  expect((await row(message))?.code).toBe('delivery-in-doubt');
  expect(catcher.for('switched@example.com')).toEqual([]);
  await world.sql(`delete from hapax.outbox where id = $1`, message);
});

it('mail waits while the mail server is away, and leaves when it is back', async () => {
  await catcher.goAway();
  const messages = [await paid('away-1@example.com'), await paid('away-2@example.com')];
  await world.start('workers/mail.ts');
  await world.until('it was tried', async () => {
    const tried = await row(messages[0] as string);
    return tried?.state === 'due' && tried.code === 'delivery-failed' && Number(tried.tries) >= 1;
  });
  await catcher.comeBack();
  for (const message of messages) await became(message, 'sent');
  expect([catcher.for('away-1@example.com').length, catcher.for('away-2@example.com').length]).toEqual([1, 1]);
});

it('a recipient that the server refuses is a dead letter, and leaves under the same id when a person replays it', async () => {
  const to = 'nobody@example.com';
  catcher.manner = { refuses: (address) => (address === to ? 550 : undefined) };
  await world.start('workers/mail.ts');
  const message = await paid(to);
  await became(message, 'failed');
  const [letter] = (await letters()).deadLetters;
  expect(letter).toMatchObject({ event: message, code: 'message-refused', type: 'receipt.requested', tries: 1 });
  expect(letter.detail).toContain('550');
  expect(letter.object).toMatch(/^ord_/);
  // Nobody of another tenant or environment sees it, or has it sent.
  for (const token of ['operator-beta', 'operator-live-alpha']) {
    expect((await world.ask('GET', '/v1/dead-letters', { token })).json.deadLetters).toEqual([]);
    expect((await world.ask('POST', `/v1/dead-letters/${letter.id}/replay`, { token })).status).toBe(404);
  }
  catcher.manner = {};
  expect((await replay(message)).json).toEqual({ id: letter.id, state: 'due' });
  await became(message, 'sent');
  expect(catcher.for(to).map(({ id }) => id)).toEqual([`${message}@hapax.test`]);
  expect((await replay(message)).json.code).toBe('not-a-dead-letter');
  expect((await letters()).deadLetters).toEqual([]);
});

it('a message that cannot be written, and a recipient with a header in its name, wait for a person and hold nobody up', async () => {
  const poison = await told('mail', 'receipt.requested', { email: 'poison@example.com', order: 'ord_1' });
  const header = await told('mail', 'test.once', { email: 'ann@example.com\r\nBcc: eve@example.com' });
  const unknown = await told('mail', 'of.a.build.to.come', { email: 'ann@example.com' });
  await world.start(worker);
  const sound = await paid('sound@example.com');
  await became(sound, 'sent');
  await became(poison, 'failed');
  await became(header, 'failed');
  expect([(await row(poison))?.code, (await row(header))?.code]).toEqual(['message-unwritable', 'recipient-unsound']);
  await world.until('the unknown one has been looked at', async () => {
    const left = await row(unknown);
    return left?.state === 'due' && left.code === 'handler-failed';
  });
  expect(catcher.mails.filter(({ source }) => /eve@|^bcc/im.test(source))).toEqual([]);
});

it('without a mail server mail waits, and the process says so', async () => {
  await due('later');
  const message = await paid('waits@example.com');
  const sender = await world.start('workers/mail.ts', { SMTP_URL: '' });
  const ready = await fetch(`${sender.address}/readyz?verbose`);
  expect([ready.status, await ready.text()]).toEqual([
    200,
    expect.stringContaining('[~]mail: Mail waits in the outbox'),
  ]);
  expect(await row(message)).toMatchObject({ state: 'due', tries: 0 });
});

it('what is erased before it has left goes to nobody, and is no dead letter', async () => {
  const [refused, waits] = ['refused@example.com', 'erased@example.com'];
  catcher.manner = { refuses: (address) => (address === refused ? 550 : undefined) };
  const sender = await world.start('workers/mail.ts');
  const dead = await paid(refused);
  await became(dead, 'failed');
  await sender.kill();
  const waiting = await paid(waits);
  const erased = await world.ask('POST', '/v1/subjects/default/erase', {
    ...patient,
    key: 'erase',
    token: 'operator-alpha',
  });
  expect([erased.status, erased.json.state]).toEqual([201, 'succeeded']);
  for (const message of [dead, waiting])
    expect(await row(message)).toMatchObject({ state: 'erased', code: null, detail: null });
  expect((await letters()).deadLetters).toEqual([]);
  expect((await replay(dead)).json.code).toBe('not-a-dead-letter');
  // A sender that looks now has nothing to send to them.
  await world.start('workers/mail.ts');
  await became(await paid('after@example.com'), 'sent');
  expect([refused, waits].map((address) => catcher.for(address).length)).toEqual([0, 0]);
});

it('a sender that has a message in its hands when it is erased sends nothing any more', {
  timeout: severalLeases,
}, async () => {
  const to = 'in-hand@example.com';
  const message = await paid(to);
  const sender = await world.start(worker, {}, ['freeze', 'before-mark']);
  await world.until('it is in its hands', async () => (await row(message))?.fence === '1');
  const erased = await world.ask('POST', '/v1/subjects/default/erase', {
    ...patient,
    key: 'erase again',
    token: 'operator-alpha',
  });
  expect([erased.status, (await row(message))?.state]).toEqual([201, 'erased']);
  sender.signal('SIGCONT');
  await world.start('workers/mail.ts');
  // Longer than a lease: the first sender may have it, too.
  await became(await paid('later@example.com'), 'sent', 40_000);
  expect(catcher.for(to)).toEqual([]);
  expect((await row(message))?.state).toBe('erased');
});

async function ofKey(to: string): Promise<string> {
  const [found] = await world.sql<{ id: string }>(
    `select id from hapax.operation where key = $1`,
    to.replaceAll(/\W/g, '-'),
  );
  return messageId(found?.id ?? expect.unreachable(), 'receipt.requested');
}
