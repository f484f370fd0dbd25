import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import { operationId } from '../../workflows/operation/key.ts';
import { eachAtOnce } from '../support/each-at-once.ts';
import { checkoutScope } from '../support/lane.ts';
import { moneyHeld, paidOnce, stockOf, traces } from '../support/one-checkout.ts';
import { calls, heldRequest, plan, type Rule } from '../support/provider-faults.ts';
import { type Answered, World } from '../support/world.ts';

/** Longer than the 3 s of the first try beside the workflow. */
const slow = 3_500;

const faults: Readonly<Record<string, Rule>> = {
  'is cut before the effect': { fault: 'drop_before' },
  'is cut after the effect': { fault: 'drop_after' },
  'is reset before the effect': { fault: 'reset' },
  'is reset after the effect': { fault: 'reset_after' },
  'is slow before the effect': { fault: 'delay_before', delayMs: slow },
  'is slow after the effect': { fault: 'delay_after', delayMs: slow },
  'is refused as too many, to be asked again in the past': { fault: '429', retryAfter: '-5', times: 3 },
  'is refused as too many, to be asked again in three years': { fault: '429', retryAfter: '99999999' },
  'is refused as too many, with a date': { fault: '429', retryAfter: 'Wed, 21 Oct 2099 07:28:00 GMT' },
  'is refused as too many, without a word': { fault: '429', retryAfter: null, times: 2 },
  'finds its key in use': { fault: '409', times: 2 },
  'fails with 500 before the effect': { fault: '500_before' },
  'fails with 500 after the effect': { fault: '500_after' },
  'is answered with half of its JSON and status 200': { fault: 'garble' },
  'is answered with a body that is cut off': { fault: 'cut' },
  'is answered with an empty 200': { fault: 'empty' },
};

const paying = ['openPayment', 'authorise', 'capture'] as const;
const cells = paying.flatMap((call) => Object.entries(faults).map(([says, rule]) => ({ call, says, rule })));
const undoCells = Object.entries(faults).map(([says, rule]) => ({ says, rule }));
const patient = { headers: { prefer: 'wait=30' } };

describe('a checkout whose provider', () => {
  let world: World;
  const answers = new Map<string, Answered>();
  const nameOf = (call: string, says: string) => `${call}-${says.replaceAll(/[^a-z0-9]+/gi, '-')}`;
  const idOf = (name: string) => operationId(checkoutScope(world, name), 1);

  beforeAll(async () => {
    world = await World.create(inject('ground'), { env: { HAPAX_ANSWER_CACHE: '0' } });
    const planned = [
      ...cells.map(({ call, says, rule }) => ({ name: nameOf(call, says), call, rule, changes: {} })),
      ...undoCells.map(({ says, rule }) => ({
        name: nameOf('undo', says),
        call: 'undo' as const,
        rule,
        changes: { paymentMethod: 'pm_card_visa_chargeDeclined' },
      })),
    ];
    for (const { name, call, rule } of planned) await plan(world, idOf(name), call, rule);
    await eachAtOnce(32, planned, async ({ name, changes }) => {
      // On a busy machine the ledger may be late for one of so many, or an end; a caller asks again with the same key.
      const answer = await world.until(
        `${name} is answered`,
        async () => {
          const told = await world.checkout(name, changes, patient);
          return told.status !== 503 && told.status !== 409 && told;
        },
        90_000,
      );
      answers.set(name, answer);
    });
  }, 240_000);
  afterAll(() => world.close());

  describe.each(paying)('at %s', (call) => {
    it.each(Object.keys(faults))('%s is paid once', async (says) => {
      const name = nameOf(call, says);
      expect(answers.get(name)).toMatchObject({ status: 201 });
      const { effects, ...ours } = await traces(world, idOf(name));
      // A stored 500 spends the key: the intent that it left behind is never confirmed, and moves nothing.
      const opened = call === 'openPayment' && faults[says]?.fault === '500_after' ? 2 : 1;
      expect(effects.filter((effect) => effect === 'created')).toHaveLength(opened);
      expect({ ...ours, effects: [...new Set(effects)] }).toEqual(paidOnce);
      expect(effects).toHaveLength(opened + 2);
      expect(await moneyHeld(world, idOf(name))).toBe(1250);
    });
  });

  describe('at the cancel of its undo', () => {
    it.each(Object.keys(faults))('%s is declined, and nothing is held', async (says) => {
      const name = nameOf('undo', says);
      expect(answers.get(name)).toMatchObject({ status: 402 });
      expect(await traces(world, idOf(name))).toEqual({
        effects: ['canceled', 'created', 'declined'],
        state: 'refused',
        status: 402,
        orders: ['released'],
        receipts: 0,
      });
    });
  });

  it.each(paying.flatMap((call) => ['before', 'after'].map((when) => ({ call, when }))))(
    'fails once with 500 $when the effect of $call gives the same key the same answer, and charges once',
    async ({ call, when }) => {
      const name = nameOf(call, `fails with 500 ${when} the effect`);
      const charged = async () => (await traces(world, idOf(name))).effects;
      const before = await charged();
      expect(before.filter((effect) => effect === 'captured')).toHaveLength(1);
      const again = await world.checkout(name);
      expect([again.status, again.text]).toEqual([201, answers.get(name)?.text]);
      expect(again.headers.get('idempotent-replayed')).toBe('true');
      expect(await charged()).toEqual(before);
    },
  );

  it.each([
    { says: 'declines the card', paymentMethod: 'pm_card_visa_chargeDeclined', status: 402 },
    { says: 'knows no such card', paymentMethod: 'pm_nobody', status: 422 },
  ])('$says is asked once, by no later try and by no repeat', async ({ says, paymentMethod, status }) => {
    const name = nameOf('once', says);
    const ask = () => world.checkout(name, { paymentMethod }, patient);
    const first = await ask();
    expect(first).toMatchObject({ status, json: { retryable: false, action: 'change_payment_method' } });
    for (let n = 0; n < 3; n += 1) expect((await ask()).text).toBe(first.text);
    expect(await sentTo('authorise', idOf(name))).toHaveLength(1);
  });

  it('has taken from the stock what was paid', async () => {
    expect(await stockOf(world)).toBe(1_000_000 - cells.length);
  });

  it.each(paying)(
    'leaves %s without an answer is shown as indeterminate until it is known',
    async (call) => {
      const name = `hole-${call}`;
      const id = idOf(name);
      await plan(world, id, call, { fault: 'hold_before', outlivesClient: true });
      const asked = world.checkout(name, {}, patient);
      const release = await heldRequest(world, id);
      await world.until(`${id} is indeterminate`, async () => {
        const { json } = await world.ask('GET', `/v1/operations/${id}`);
        return json.state === 'indeterminate';
      });
      const joined = await world.checkout(name, {}, { headers: { prefer: 'wait=1' } });
      expect(joined.json).toMatchObject({ status: 409, code: 'operation-indeterminate' });
      await release();
      await asked;
      await world.until(`${id} is paid`, async () => (await world.checkout(name, {}, patient)).status === 201, 60_000);
      expect(await traces(world, id)).toEqual(paidOnce);
    },
    150_000,
  );

  it('turns a call away and then leaves it without an answer is shown as running, then as indeterminate', async () => {
    const name = 'away-then-hole';
    const id = idOf(name);
    const hole = { fault: 'hold_before', outlivesClient: true };
    await world.faults([
      { match: { operation: id, path: calls.authorise }, fault: '429', retryAfter: '1' },
      { match: { operation: id, path: calls.authorise }, ...hole },
    ]);
    await notesStates(id);
    const asked = world.checkout(name, {}, patient);
    const release = await heldRequest(world, id);
    await world.until('it is indeterminate', async () => (await world.state(id)) === 'indeterminate');
    await release();
    await world.until('it is paid', async () => (await world.state(id)) === 'succeeded');
    await asked;
    expect(await traces(world, id)).toEqual(paidOnce);
    // The one that was turned away is known to have done nothing, and the one that is held is the first to be out.
    const noted = await world.sql<{ operation: string; step: string }>(
      'select operation, step from public.noted order by n',
    );
    const doubt = noted.findIndex(({ operation }) => operation === 'indeterminate');
    const before = noted.slice(0, doubt);
    expect(new Set(before.map(({ operation }) => operation))).toEqual(new Set(['running']));
    expect(before.at(-1)).toEqual({ operation: 'running', step: 'sent' });
    expect(before.filter(({ step }) => step === 'sent').length).toBeGreaterThan(1);
  });

  /** From now on each state of its authorisation is noted, with what the operation is shown as then. */
  async function notesStates(id: string): Promise<void> {
    await world.sql('create table public.noted (n integer generated always as identity, operation text, step text)');
    await world.sql('grant insert on public.noted to hapax_app');
    await world.sql(`create function public.note() returns trigger language plpgsql as $$ begin
        insert into public.noted (operation, step)
        select o.state, s.state from hapax.operation o join hapax.step s on s.operation_id = o.id
        where o.id = '${id}' and s.name = 'authorise';
        return null; end $$`);
    for (const table of ['operation', 'step'])
      await world.sql(`create constraint trigger noted after insert or update on hapax.${table}
        deferrable initially deferred for each row execute function public.note()`);
  }

  it.each([
    { call: 'capture', card: 'pm_card_visa', status: 201, traced: paidOnce },
    {
      call: 'undo',
      card: 'pm_card_visa_chargeDeclined',
      status: 402,
      traced: { effects: ['canceled', 'created', 'declined'], orders: ['released'] },
    },
  ] as const)(
    'asks to be left alone for two seconds at $call is asked again no sooner, beside the workflow and after it',
    async ({ call, card, status, traced }) => {
      const name = `pause-${call}`;
      const id = idOf(name);
      await plan(world, id, call, { fault: '429', retryAfter: '2', times: 2 });
      expect((await world.checkout(name, { paymentMethod: card }, patient)).status).toBe(status);
      const at = (await sentTo(call, id)).map((one) => new Date(one.at).getTime());
      expect(at).toHaveLength(3);
      const pauses = at.slice(1).map((time, index) => time - (at[index] as number));
      expect(Math.min(...pauses)).toBeGreaterThanOrEqual(1_900);
      expect(await traces(world, id)).toMatchObject(traced);
    },
  );

  async function sentTo(call: keyof typeof calls, id: string): Promise<Sent[]> {
    const path = new RegExp(calls[call]);
    const sent = await (await fetch(`${world.sandbox.address}/_requests?operation=${id}`)).json();
    return (sent as Sent[]).filter((one) => path.test(one.path));
  }
});

type Sent = { readonly path: string; readonly at: string };
