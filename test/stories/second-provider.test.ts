import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import { operationId } from '../../workflows/operation/key.ts';
import { secrets } from '../support/event-sources.ts';
import { checkoutScope } from '../support/lane.ts';
import { moneyOf } from '../support/money.ts';
import { calls, heldRequest } from '../support/provider-faults.ts';
import { keylessProvider } from '../support/providers/keyless-provider.ts';
import { withProvider } from '../support/with-provider.ts';
import { type WorkerHere, workerHere } from '../support/worker-here.ts';
import { World } from '../support/world.ts';

const patient = { headers: { prefer: 'wait=30' } };
/** The answer is lost before the effect or after it, or only half of it comes. */
const faults = ['drop_before', 'drop_after', '500_before', '500_after', 'garble'] as const;

describe('a provider without keys, behind another adapter', () => {
  let world: World;
  let worker: WorkerHere;
  beforeAll(async () => {
    world = await World.create(inject('ground'), { workers: 0 });
    await world.sandboxControl('POST', 'settings', { profile: 'keyless' });
    const { sandbox, doors } = world;
    await world.sandboxControl('POST', 'webhooks', {
      url: `${doors[0]?.address}/v1/webhooks/stripe`,
      secret: secrets.stripe,
    });
    worker = await workerHere(
      world.env,
      undefined,
      withProvider(() => keylessProvider(sandbox.address)),
    );
  });
  afterAll(async () => {
    await worker.stop();
    await world.close();
  });

  const idOf = (key: string) => operationId(checkoutScope(world, key), 1);
  const effects = async (key: string) =>
    (await world.audit({ operation: idOf(key) })).map(({ type }) => type.replace('payment_intent.', ''));
  const booked = async (paid: { readonly orderId: string; readonly paymentIntent: string }) =>
    await world.until('it is booked with its fee', async () => {
      const money = await moneyOf(world, paid).catch(() => undefined);
      return money?.fee !== undefined && money;
    });

  it('is paid, refunded in part, and the rest with its order, and all of it is booked', async () => {
    const { status, json } = await world.checkout('whole', {}, patient);
    expect(status).toBe(201);
    expect(await effects('whole')).toEqual(['created', 'confirmed', 'captured']);
    const part = await world.ask('POST', '/v1/refunds', {
      key: 'part',
      body: { checkout: json.id, amount: { minor: 300, currency: 'eur' } },
      ...patient,
    });
    expect(part.status).toBe(201);
    const rest = await world.ask('POST', `/v1/orders/${json.orderId}/cancel`, { key: 'rest', ...patient });
    expect([rest.status, rest.json.refunded]).toEqual([201, { minor: 950, currency: 'eur' }]);
    expect(await booked(json)).toMatchObject({ captured: 1250, refunded: 1250 });
    const stood = await world.sql('select distinct provider from hapax.money_fact where order_id = $1', json.orderId);
    expect(stood).toEqual([{ provider: 'keyless' }]);
  });

  it('declines a card in its own words, once', async () => {
    const declined = { paymentMethod: 'pm_card_visa_chargeDeclined' };
    const first = await world.checkout('declined', declined, patient);
    expect([first.status, first.json.code]).toEqual([402, 'card-declined']);
    expect((await world.checkout('declined', declined, patient)).text).toBe(first.text);
    expect(await effects('declined')).toEqual(['created', 'declined', 'canceled']);
  });

  it('asks the buyer, and goes on when the bank has decided', async () => {
    const asks = { paymentMethod: 'pm_card_threeDSecure2Required' };
    const first = await world.checkout('asks', asks, patient);
    expect([first.status, first.json.nextAction?.type]).toEqual([202, 'redirect']);
    const [opened] = await world.audit({ operation: idOf('asks'), type: 'payment_intent.created' });
    await world.sandboxControl('POST', `payment_intents/${opened?.paymentIntent}/authenticate`, { outcome: 'succeed' });
    await world.until('it is paid', async () => (await world.state(idOf('asks'))) === 'succeeded');
    expect((await effects('asks')).filter((type) => type === 'captured')).toHaveLength(1);
  });

  it.each(
    Object.entries({ openPayment: calls.openPayment, authorise: calls.authorise, capture: calls.capture }).flatMap(
      ([step, path]) => faults.map((fault) => ({ step, path, fault })),
    ),
  )('is charged once where the answer about $step is lost ($fault)', async ({ step, path, fault }) => {
    const key = `lost-${step}-${fault}`;
    await world.faults([{ match: { operation: idOf(key), path }, fault }]);
    const { status, json } = await world.checkout(key, {}, patient);
    expect(status).toBe(201);
    const done = await effects(key);
    expect(done.filter((type) => type === 'captured')).toHaveLength(1);
    expect(done.filter((type) => type === 'created')).toHaveLength(1);
    await booked(json);
  });

  it.each(faults)('gives money back once where the answer about it is lost (%s)', async (fault) => {
    const { json } = await world.checkout(`refunded-${fault}`, {}, patient);
    const operation = operationId({ ...checkoutScope(world, `back-${fault}`), flow: 'refund' }, 1);
    await world.faults([{ match: { operation, path: '/v1/refunds$' }, fault }]);
    const body = { checkout: json.id, amount: { minor: 400, currency: 'eur' } };
    const back = await world.ask('POST', '/v1/refunds', { key: `back-${fault}`, body, ...patient });
    expect(back.status).toBe(201);
    const made = await world.audit({ type: 'refund.created', operation });
    expect(made.map(({ amount }) => amount)).toEqual([400]);
    expect(await booked(json)).toMatchObject({ refunded: 400 });
  });

  it('charges nothing where an operation is cancelled while its card is tried', async () => {
    const key = 'given-up';
    await world.faults([{ match: { operation: idOf(key), path: calls.authorise }, fault: 'hold_after' }]);
    const asked = world.checkout(key, {}, { headers: { prefer: 'wait=1' } });
    await heldRequest(world, idOf(key));
    await world.ask('POST', `/v1/operations/${idOf(key)}/cancel`);
    await world.until('it has ended', async () => (await world.state(idOf(key))) === 'cancelled', 30_000);
    await asked;
    await world.sandboxControl('POST', 'release', { all: true });
    const done = await effects(key);
    expect(done).toContain('canceled');
    expect(done).not.toContain('captured');
  });
});
