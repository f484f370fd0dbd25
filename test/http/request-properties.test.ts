import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import { checkoutFlow } from '../../workflows/checkout.flow.ts';
import { effectsOf, nothing } from '../conformance/effects.ts';
import { type Answered, World } from '../support/world.ts';

let world: World;
beforeAll(async () => {
  world = await World.create(inject('ground'), { upkeep: false });
});
afterAll(() => world.close());

let asked = 0;

/** Sends a body, and holds the door to what it promises for whatever comes. */
async function judged(body: string): Promise<void> {
  asked += 1;
  const key = `property-${asked}`;
  const begun = performance.now();
  const answer: Answered = await world.checkout(key, {}, { body });
  expect(performance.now() - begun).toBeLessThan(10_000);
  expect(answer.status).toBeLessThan(500);
  const effects = await effectsOf(world, key);
  if (answer.status === 400 || answer.status === 413) {
    expect(answer.json).toMatchObject({
      status: answer.status,
      code: expect.any(String),
      requestId: expect.any(String),
    });
    expect(effects).toEqual(nothing);
    return;
  }
  // What was accepted obeys the schema, is one operation, and charges once or not at all.
  expect(checkoutFlow.request.safeParse(JSON.parse(body)).success).toBe(true);
  expect(effects.operations).toBe(1);
  const charges = effects.payments.filter((type) => type === 'payment_intent.captured').length;
  expect([answer.status, charges, effects.orders.filter((state) => state === 'paid').length]).toEqual(
    answer.status === 201 ? [201, 1, 1] : [answer.status, 0, 0],
  );
  const [row] = await world.sql<{ request: unknown }>('select request from hapax.operation where key = $1', key);
  expect(row?.request).toEqual(JSON.parse(body));
}

const text = fc.oneof(fc.string({ unit: 'binary', maxLength: 40 }), fc.string({ maxLength: 40 }));
const awkward = fc.oneof(
  fc.constantFrom<unknown>(
    null,
    true,
    false,
    '',
    0,
    -0,
    -1,
    1,
    1.5,
    1e21,
    2 ** 53 + 1,
    [],
    {},
    [[]],
    'null',
    '__proto__',
    '\u202E',
    '\uFFFF',
    'x'.repeat(300),
  ),
  fc.jsonValue({ maxDepth: 3 }),
  text,
);

const cart = fc.record({
  cartId: fc.oneof(
    fc.uuid(),
    text.filter((one) => one !== ''),
  ),
  items: fc.array(
    fc.record({
      sku: fc.constantFrom('mug-blue', 'book-small', 'poster', 'nothing'),
      quantity: fc.integer({ min: 1, max: 1_000 }),
    }),
    { minLength: 1, maxLength: 3 },
  ),
  paymentMethod: fc.constantFrom('pm_card_visa', 'pm_card_chargeDeclined', 'pm_card_nobody'),
});

/** One place of a sound request, changed, removed, doubled or added. */
const mutated = fc
  .tuple(
    cart,
    fc.constantFrom(
      'cartId',
      'items',
      'paymentMethod',
      'email',
      'items.0',
      'items.0.sku',
      'items.0.quantity',
      'items.0.more',
      'more',
    ),
    awkward,
    fc.boolean(),
  )
  .map(([request, path, value, removed]) => {
    const parts = path.split('.');
    const last = parts.pop() as string;
    let at = request as Record<string, unknown>;
    for (const part of parts) at = at[part] as Record<string, unknown>;
    if (removed) Reflect.deleteProperty(at, last);
    else at[last] = value;
    return JSON.stringify(request);
  });

const options = (numRuns: number) => ({ numRuns, interruptAfterTimeLimit: 25_000 });

describe('whatever is sent to a checkout', () => {
  it('any JSON is answered without a fault of ours, and what is refused has no effect', async () => {
    await fc.assert(fc.asyncProperty(fc.json({ maxDepth: 4 }), judged), options(150));
  });

  it('any text is answered without a fault of ours, and what is refused has no effect', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.string({ unit: 'binary', maxLength: 200 }).filter((body) => body.isWellFormed()),
        judged,
      ),
      options(100),
    );
  });

  it('a sound request that was changed in one place is accepted only where it obeys its schema', async () => {
    await fc.assert(fc.asyncProperty(mutated, judged), options(150));
  });

  it('a sound request runs once, and says in its answer what the ledger says', async () => {
    await fc.assert(
      fc.asyncProperty(
        cart.map((request) => JSON.stringify(request)),
        judged,
      ),
      options(30),
    );
  });
});

describe('whatever is sent as a key', () => {
  it('is refused with a name, or names one operation', async () => {
    const key = fc.oneof(
      fc.string({ maxLength: 300 }),
      fc.string({ unit: 'grapheme-ascii', minLength: 1, maxLength: 30 }),
      fc.constantFrom('"', '""', '"a', 'a"', '\\', '"\\"'),
    );
    await fc.assert(
      fc.asyncProperty(key, async (value) => {
        const before = await world.sql('select id from hapax.operation');
        const answer = await world.checkout(
          value,
          {},
          { body: { cartId: 'k', items: [{ sku: 'poster', quantity: 1 }], paymentMethod: 'pm_card_visa' } },
        );
        const more = (await world.sql('select id from hapax.operation')).length - before.length;
        if (answer.status === 400) expect([answer.json.code.startsWith('key-'), more]).toEqual([true, 0]);
        else expect([answer.json.code, more <= 1]).toEqual(['out-of-stock', true]);
      }),
      options(60),
    );
  });
});
