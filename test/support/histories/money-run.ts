import { setTimeout as pause } from 'node:timers/promises';
import pLimit from 'p-limit';
import type Stripe from 'stripe';
import { reconcile } from '../../../activities/reconcile/reconcile.ts';
import { Database } from '../../../activities/stores/postgres/database.ts';
import { stripeProvider } from '../../../activities/stores/payments/stripe/stripe-provider.ts';
import { operationId } from '../../../workflows/operation/key.ts';
import { secrets } from '../event-sources.ts';
import { checkoutScope } from '../lane.ts';
import { paymentClient } from '../payment-client.ts';
import { seededRandom } from '../seeded-random.ts';
import type { Answered, World } from '../world.ts';
import { foundInWorld } from './found-in-world.ts';
import { historyFaults } from './history-faults.ts';
import type { Told } from './order-faults.ts';
import type { Act, MoneyHistory } from './money-history.ts';

/** Histories that go on side by side, and the pause between two kills while they do. Milliseconds. */
const [atOnce, betweenKills] = [6, 2_500];
/** An answer comes within this, whatever is killed meanwhile. Milliseconds. */
const longest = 90_000;
/** What ends an operation, or was refused before it began; anything else is asked again. */
const passing = new Set(['in-progress', 'operation-indeterminate', 'overloaded', 'ledger-unavailable', 'internal']);

const cards = {
  approves: 'pm_card_visa',
  declines: 'pm_card_visa_chargeDeclined',
  'asks, and the buyer confirms': 'pm_card_threeDSecure2Required',
  'asks, and the buyer does not': 'pm_card_threeDSecure2Required',
} as const;

/** Runs histories on a real stack, whose workers are killed meanwhile. @returns what is wrong at the end, a sentence each */
export async function runHistories(
  world: World,
  histories: readonly MoneyHistory[],
  seed: number,
): Promise<readonly string[]> {
  const run = new MoneyRun(world, paymentClient(world), seed);
  return await run.run(histories);
}

class MoneyRun {
  readonly #world: World;
  readonly #stripe: Stripe;
  readonly #seed: number;

  constructor(world: World, stripe: Stripe, seed: number) {
    this.#world = world;
    this.#stripe = stripe;
    this.#seed = seed;
  }

  async run(histories: readonly MoneyHistory[]): Promise<readonly string[]> {
    const random = seededRandom(this.#seed);
    await this.#world.sandboxControl('POST', 'webhooks', {
      url: `${this.#world.doors[0]?.address}/v1/webhooks/stripe`,
      secret: secrets.stripe,
      backoffMs: [200, 1_000, 5_000],
      plan: planOf(random),
    });
    let over = false;
    const killing = this.#kill(() => over);
    const turn = pLimit(atOnce);
    const told = await Promise.all(histories.map((history, n) => turn(() => this.#tell(history, n))));
    over = true;
    await killing;
    await this.#quiet();
    return historyFaults(await foundInWorld(this.#world, this.#stripe), told);
  }

  async #kill(over: () => boolean): Promise<void> {
    for (;;) {
      for (let waited = 0; waited < betweenKills; waited += 100) {
        if (over()) return;
        await pause(100);
      }
      await this.#world.running('workers/operations.ts')[0]?.kill();
      await this.#world.start('workers/operations.ts');
    }
  }

  async #tell(history: MoneyHistory, n: number): Promise<Told> {
    const key = `h${this.#seed}-${n}`;
    const id = operationId(checkoutScope(this.#world, key), 1);
    const operations = [id, ...history.acts.flatMap(({ do: what }, m) => this.#begunBy(what, `${key}-${m}`))];
    await this.#world.faults(
      operations.flatMap((operation) =>
        history.faults.map(({ path, ...fault }) => ({ match: { operation, path }, ...fault })),
      ),
    );
    const checkout = this.#checkout(history, key, id);
    const acts: { act: Act; answers: Promise<readonly Answered[]> }[] = [];
    let before: Promise<unknown> = history.acts[0]?.beside ? this.#paying(id) : checkout;
    for (const [m, act] of history.acts.entries()) {
      await before;
      const answers = this.#act(act, `${key}-${m}`, id);
      acts.push({ act, answers });
      before = history.acts[m + 1]?.beside ? pause(20) : answers;
    }
    const done = await Promise.all(acts.map(async ({ act, answers }) => ({ act, answers: await answers })));
    return { key, id, history, checkout: await checkout, acts: done };
  }

  #begunBy(what: Act['do'], key: string): readonly string[] {
    const flow = { refund: 'refund', cancel: 'cancellation' }[what as string];
    return flow === undefined ? [] : [operationId({ ...checkoutScope(this.#world, key), flow }, 1)];
  }

  async #checkout({ card, asked }: MoneyHistory, key: string, id: string): Promise<readonly Answered[]> {
    const body = this.#world.cart(key, {
      items: [{ sku: 'mug-blue', quantity: 2 }],
      paymentMethod: cards[card],
    });
    if (card.startsWith('asks')) void this.#atTheBank(id, card === 'asks, and the buyer confirms');
    return await this.#asked(asked, () => this.#world.ask('POST', '/v1/checkouts', { key, body }));
  }

  /** The buyer goes where the checkout sends them, once it does. */
  async #atTheBank(id: string, confirms: boolean): Promise<void> {
    const intent = await this.#world
      .until(`${id} asks for its buyer, or does not`, async () => {
        const effects = await this.#world.audit({ operation: id });
        const ended = effects.some(({ type }) => /canceled|captured|declined/.test(type));
        return effects.find(({ type }) => type === 'payment_intent.requires_action') ?? (ended ? null : false);
      }, longest)
      .catch(() => null);
    if (intent === null) return;
    const outcome = { outcome: confirms ? 'succeed' : 'fail' };
    // Cancelled meanwhile, it asks no more.
    await this.#control(`payment_intents/${intent.paymentIntent}/authenticate`, outcome);
  }

  async #act(act: Act, key: string, checkout: string): Promise<readonly Answered[]> {
    switch (act.do) {
      case 'refund': {
        const amount = act.minor === undefined ? {} : { amount: { minor: act.minor, currency: 'eur' } };
        const body = { checkout, ...amount };
        return await this.#asked(act.asked, () => this.#world.ask('POST', '/v1/refunds', { key, body }));
      }
      case 'cancel': {
        const [order] = await this.#world.sql<{ id: string }>(
          'select id from hapax.customer_order where operation_id = $1',
          checkout,
        );
        if (order === undefined) return [];
        return await this.#asked(act.asked, () =>
          this.#world.ask('POST', `/v1/orders/${order.id}/cancel`, { key }),
        );
      }
      case 'cancel the checkout':
        await this.#world.ask('POST', `/v1/operations/${checkout}/cancel`);
        return [];
      case 'refund at the provider': {
        const payment = await this.#payment(checkout);
        if (payment !== undefined)
          await this.#stripe.refunds
            .create({ payment_intent: payment, amount: act.minor }, { idempotencyKey: `staff ${key}` })
            .catch(() => undefined);
        return [];
      }
      case 'dispute': {
        const payment = await this.#payment(checkout);
        const opened = await this.#control('disputes', { payment_intent: payment ?? 'pi_none' });
        if (opened !== undefined && act.ends !== undefined)
          await this.#control(`disputes/${opened.id}/close`, { outcome: act.ends });
        return [];
      }
      case 'fail the newest refund': {
        const payment = await this.#payment(checkout);
        const made = payment && (await this.#stripe.refunds.list({ payment_intent: payment }).catch(() => undefined));
        const newest = made && made.data.find(({ status }) => status === 'succeeded');
        if (newest) await this.#control(`refunds/${newest.id}/fail`, {});
        return [];
      }
      case 'have an event sent again': {
        const { data } = await this.#stripe.events.list({ limit: 20 });
        const event = data[Math.floor(data.length / 2)];
        if (event !== undefined) await this.#control(`webhooks/${event.id}/resend`, {});
        return [];
      }
    }
  }

  async #payment(operation: string): Promise<string | undefined> {
    return (await this.#world.audit({ operation, type: 'payment_intent.created' }))[0]?.paymentIntent;
  }

  /** What the state of things forbids is no effect. */
  async #control(what: string, wish: unknown): Promise<{ readonly id: string } | undefined> {
    return (await this.#world.sandboxControl('POST', what, wish).catch(() => undefined)) as { id: string } | undefined;
  }

  async #asked(times: number, ask: () => Promise<Answered>): Promise<readonly Answered[]> {
    return await Promise.all(
      Array.from({ length: times }, () =>
        this.#world.until(
          'it has an answer',
          async () => {
            const answer = await ask().catch(() => undefined);
            const open = answer === undefined || answer.status === 202 || passing.has(answer.json?.code);
            return !open && answer;
          },
          longest,
          150,
        ),
      ),
    );
  }

  /** The payment is under way. */
  async #paying(id: string): Promise<void> {
    const begun = async () => (await this.#world.audit({ operation: id })).length > 0 || undefined;
    await this.#world.until('it begins', begun, 5_000).catch(() => undefined);
  }

  /** Nothing is under way any more; what events have lost, the reconciler finds. */
  async #quiet(): Promise<void> {
    await this.#world.until(
      'all operations have ended',
      async () => {
        const open = await this.#world.sql(`select 1 from hapax.operation where settled_at is null limit 1`);
        const due = await this.#world.sql(`select 1 from hapax.inbox_handling where state = 'due' limit 1`);
        return open.length + due.length === 0;
      },
      longest,
      100,
    );
    const database = new Database(this.#world.databaseUrl, 'hapax_upkeep', 2);
    await reconcile(
      { database, provider: stripeProvider(this.#stripe) },
      { from: new Date(0).toISOString(), late: 0 },
    );
    await database.close();
  }
}

/** Some events are lost, some come twice, late, or out of turn. */
function planOf(random: () => number): readonly object[] {
  const does = ['lose', 'duplicate', 'delay', 'reorder', 'early'] as const;
  const types = ['payment_intent.', 'charge.updated', 'refund.', 'charge.dispute.', ''];
  return Array.from({ length: 40 }, (_, n) => ({
    type: types[n % types.length],
    after: Math.floor(random() * 30),
    times: 1,
    do: does[Math.floor(random() * does.length)],
    copies: 1 + Math.floor(random() * 3),
    delayMs: random() * 3_000,
  }));
}
