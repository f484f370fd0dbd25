import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import { connectGateway } from '../../client/gateway/connect.ts';
import { checkoutFlow } from '../../workflows/checkout.flow.ts';
import { type Answered, World } from '../support/world.ts';
import { effectsOf, paidOnce } from './effects.ts';
import { checkoutId, holdConfirm, release, untilHeld } from './held.ts';

/** Far more than the workers have in hand at once on any machine that runs the tests. */
const crowd = 300;

let world: World;
beforeAll(async () => {
  // Without answers in memory each replay is the ledger's.
  world = await World.create(inject('ground'), { doors: 2, env: { HAPAX_ANSWER_CACHE: '0' } });
  for (let n = 0; n < 12; n += 1) expect((await world.checkout(`before-${n}`, {}, { door: n % 2 })).status).toBe(201);
  // Opens the doors' connections to PostgreSQL: the crowd is to meet doors that are at work already.
  await Promise.all(Array.from({ length: 96 }, (_, n) => world.checkout(`before-${n % 12}`, {}, { door: n % 2 })));
});
afterAll(() => world.close());

const atOnce = { headers: { prefer: 'wait=0' } };
const pause = (milliseconds: number) => new Promise((resolve) => setTimeout(resolve, milliseconds));

type Asked = { readonly key: string; readonly answer: Answered };

/** A machine that runs other tests beside this one may end a few operations a second: what is admitted still ends. */
const patient = { prefer: 'wait=30' };

/** On a busy machine a new connection to PostgreSQL may take over a second: its caller asks again with the same key. */
async function answerOf(what: string, ask: () => Promise<Answered>): Promise<Answered> {
  return await world.until(
    `${what} is answered`,
    async () => {
      const told = await ask();
      return told.json?.code !== 'ledger-unavailable' && told;
    },
    50_000,
  );
}

/** New checkouts at once, at both doors in turn. */
function askForMany(name: string): Promise<Asked[]> {
  const keys = Array.from({ length: crowd }, (_, n) => `${name}-${n}`);
  return Promise.all(
    keys.map(async (key, n) => ({
      key,
      answer: await answerOf(key, () => world.checkout(key, {}, { door: n % 2, headers: patient })),
    })),
  );
}

function expectOverloaded({ status, json, headers }: Answered): void {
  expect([status, json.code]).toEqual([503, 'overloaded']);
  expect(json).toMatchObject({ retryable: true, sameKeySafe: true, action: 'wait' });
  const told = Number(headers.get('retry-after'));
  expect(json.retryAfter).toBe(told);
  expect(Number.isInteger(told) && told >= 1 && told <= 30).toBe(true);
}

async function states(keys: readonly string[]): Promise<string[]> {
  const rows = await world.sql<{ state: string }>('select state from hapax.operation where key = any($1)', keys);
  return rows.map(({ state }) => state);
}

async function metric(name: string): Promise<number> {
  const lines = (await world.ask('GET', '/metrics')).text.split('\n');
  return Number(
    lines
      .find((line) => line.startsWith(`${name} `))
      ?.split(' ')
      .at(-1),
  );
}

/** The tests follow each other, and a machine that is busy with others may take long to end what is in hand. */
async function nothingInHand(): Promise<void> {
  await world.until('nothing is in hand', async () => (await metric('hapax_admission_in_hand')) === 0, 40_000);
}

describe(`${crowd} new checkouts at once`, () => {
  let asked: Asked[];
  let during: Answered[];

  beforeAll(async () => {
    const id = await holdConfirm(world, 'held', 20);
    const held = world.checkout('held');
    await untilHeld(world, 'held');
    const file = { name: 'greeting.txt', size: 12, type: 'text/plain', destination: 'inbox' };
    const { transfer } = (await world.ask('POST', '/v1/uploads', { key: 'announced', body: file })).json;
    const all = askForMany('crowd');
    // What is asked beside them, of what has begun before them.
    await world.until('the first is refused', async () =>
      (await world.ask('GET', '/readyz?verbose')).text.includes('[~]admission'),
    );
    const asks: (() => Promise<Answered>)[] = [
      ...Array.from({ length: 12 }, (_, n) => () => world.checkout(`before-${n}`, {}, { door: n % 2 })),
      () => world.checkout('held', {}, atOnce),
      () => world.ask('GET', `/v1/operations/${id}`),
      () => world.ask('POST', `/v1/operations/${id}/cancel`),
      () => world.ask('POST', '/v1/keys'),
      () => world.ask('PUT', transfer.url, { headers: transfer.headers, body: 'Hello world!' }),
    ];
    during = await Promise.all(asks.map((ask, n) => answerOf(`question ${n}`, ask)));
    await release(world);
    await held;
    asked = await all;
  });

  const answered = (status: number) => asked.filter(({ answer }) => answer.status === status);

  it('end in time or are refused at once, with an honest Retry-After: none is left waiting', () => {
    const [paid, refused] = [answered(201), answered(503)];
    expect(paid.length + refused.length).toBe(crowd);
    expect(paid.length).toBeGreaterThanOrEqual(20);
    expect(refused.length).toBeGreaterThanOrEqual(20);
    for (const { answer } of refused) expectOverloaded(answer);
  });

  it('tell the refused to come one after the other', () => {
    const told = new Set(answered(503).map(({ answer }) => answer.json.retryAfter as number));
    expect(told.size).toBeGreaterThan(2);
  });

  it('lose nothing that was accepted, and charge each once', async () => {
    const keys = answered(201).map(({ key }) => key);
    expect(await states(keys)).toEqual(keys.map(() => 'succeeded'));
    const captures = await world.audit({ type: 'payment_intent.captured' });
    const charged = captures.map(({ operation }) => operation);
    expect(charged).toEqual(expect.arrayContaining(keys.map((key) => checkoutId(world, key))));
    expect(new Set(charged).size).toBe(charged.length);
  });

  it('leave no row of the refused, whose key runs once after Retry-After', async () => {
    const refused = answered(503).toSorted((a, b) => a.answer.json.retryAfter - b.answer.json.retryAfter);
    expect(await states(refused.map(({ key }) => key))).toEqual([]);
    const [{ key, answer }] = refused as [Asked];
    // Told from an estimate: where the machine has become slower since, the second time is right.
    let last = answer;
    for (let n = 0; n < 2 && last.status === 503; n += 1) {
      await pause(last.json.retryAfter * 1_000);
      last = await world.checkout(key);
    }
    expect(last.status).toBe(201);
    expect(await effectsOf(world, key)).toEqual(paidOnce);
  });

  it('refuse no replay, join, question, cancel, new key or bytes of an announced upload', () => {
    const replays = during.slice(0, 12);
    expect(replays.map(({ status, headers }) => [status, headers.get('idempotency-status')])).toEqual(
      replays.map(() => [201, 'replayed']),
    );
    const [joined, ...others] = during.slice(12) as [Answered, ...Answered[]];
    expect([joined.status, joined.headers.get('idempotency-status')]).toEqual([409, 'joined']);
    expect(others.map(({ status }) => status)).toEqual([200, 202, 201, 200]);
  });

  it('show in metrics, and in readiness only while they are refused', async () => {
    const { text } = await world.ask('GET', '/metrics');
    expect(text).toMatch(/hapax_requests_total\{flow="checkout",decision="overloaded",layer="process"\} [1-9]/);
    expect(await metric('hapax_admission_limit')).toBeGreaterThanOrEqual(20);
    expect(await metric('hapax_admission_capacity')).toBeGreaterThan(0);
    await world.until('nothing is refused any more', async () =>
      (await world.ask('GET', '/readyz?verbose')).text.includes('[+]admission'),
    );
    await nothingInHand();
  });
});

it('one tenant that floods does not keep out another that asks now and then', async () => {
  let flooding = true;
  let refused = 0;
  const flood = Array.from({ length: 80 }, async (_, caller) => {
    for (let n = 0; flooding; n += 1) {
      const { status } = await world.checkout(`flood-${caller}-${n}`, {}, { door: caller % 2 });
      if (status === 503) refused += 1;
      await pause(status === 503 ? 200 : 0);
    }
  });
  await world.until('the flood is refused', () => Promise.resolve(refused > 50));
  const modest: number[] = [];
  for (let n = 0; n < 5; n += 1) {
    const ask = { token: 'local-beta', door: n % 2, headers: patient };
    modest.push((await world.checkout(`modest-${n}`, {}, ask)).status);
    await pause(200);
  }
  const before = refused;
  await world.until('the flood is refused still', () => Promise.resolve(refused > before));
  flooding = false;
  await Promise.all(flood);
  expect(modest).toEqual(modest.map(() => 201));
}, 120_000);

it('without workers a few are accepted and the others refused, at each door and for each service, until workers are back', async () => {
  await nothingInHand();
  const workers = world.running('workers/operations.ts');
  for (const worker of workers) worker.signal('SIGSTOP');
  const accepted: string[] = [];
  const service = await connectGateway({
    databaseUrl: world.databaseUrl,
    temporalAddress: world.env.TEMPORAL_ADDRESS as string,
    taskQueue: world.env.HAPAX_TASK_QUEUE as string,
  });
  try {
    const refusals = await world.until(
      'both doors refuse',
      async () => {
        const key = `away-${accepted.length}`;
        const answers = await Promise.all([0, 1].map((door) => world.checkout(key, {}, { ...atOnce, door })));
        if (answers.some(({ status }) => status === 409)) accepted.push(key);
        return answers.every(({ status }) => status === 503) && answers;
      },
      40_000,
    );
    for (const answer of refusals) expectOverloaded(answer);
    expect(accepted.length).toBeGreaterThanOrEqual(20);
    const call = { tenant: world.tenants.alpha, environment: 'test', subject: 'default' } as const;
    await world.until(
      'the service is refused as well',
      async () => {
        const key = `service-${accepted.length}`;
        const asked = service.gateway.start(checkoutFlow, { ...call, key, request: world.cart(key) as never });
        const refused = await asked.then(
          () => undefined,
          (error: unknown) => error,
        );
        if (refused === undefined) accepted.push(key);
        else expect(refused).toMatchObject({ code: 'overloaded', retryAfter: expect.any(Number) });
        return refused;
      },
      40_000,
    );
    const [known = ''] = accepted;
    const joined = await service.gateway.start(checkoutFlow, {
      ...call,
      key: known,
      request: world.cart(known) as never,
    });
    expect([joined.how, joined.state]).toEqual(['joined', 'claimed']);
  } finally {
    for (const worker of workers) worker.signal('SIGCONT');
    await service.close();
  }
  await world.until(
    'all that was accepted has ended',
    async () => {
      const ended = await states(accepted);
      return ended.length === accepted.length && ended.every((state) => state === 'succeeded');
    },
    40_000,
  );
  await world.until('new ones begin again', async () => (await world.checkout('back')).status === 201);
}, 120_000);
