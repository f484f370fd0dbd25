import { cancellationFlow } from '../../../workflows/cancellation.flow.ts';
import { checkoutFlow } from '../../../workflows/checkout.flow.ts';
import { milliseconds, minutes } from '../../../workflows/operation/duration.ts';
import type { AnyFlow } from '../../../workflows/operation/flow.ts';
import { operationId } from '../../../workflows/operation/key.ts';
import { refundFlow } from '../../../workflows/refund.flow.ts';
import type { Act } from '../histories/money-history.ts';
import type { Told, ToldAnswer } from '../histories/order-faults.ts';
import type { Callers } from './callers.ts';
import type { ProviderAccount } from './provider-account.ts';
import type { ProviderPost } from './provider-post.ts';
import type { SimulatedHistory } from './simulated-history.ts';
import type { Strand, VirtualTime } from './virtual-time.ts';

/** Where a history happens. */
type Stage = {
  readonly time: VirtualTime;
  readonly callers: Callers;
  readonly account: ProviderAccount;
  readonly post: ProviderPost;
  readonly sql: <R extends object>(text: string, ...values: unknown[]) => Promise<R[]>;
};

const key = 'history';

/** An act beside another begins within this time of it. Milliseconds. */
const soon = milliseconds(300);

/** Does what people do in a history: buyers, staff and banks. @returns it with what its callers were told */
export async function tellHistory(stage: Stage, { money, buyerTakes }: SimulatedHistory): Promise<Told> {
  const { time, callers } = stage;
  const scope = { tenant: callers.tenant, environment: 'test', subject: 'default', flow: 'checkout', key } as const;
  const id = operationId(scope, 1);
  const request = { cartId: key, items: [{ sku: 'mug-blue', quantity: 2 }], paymentMethod: 'pm_card' };
  const checkout = time.spawn(() => askedFor(stage, money.asked, checkoutFlow, key, request));
  const buyer = time.spawn(() => atTheBank(stage, money.card === 'asks, and the buyer confirms', buyerTakes, checkout));
  const acts: { act: Act; answers: Strand<readonly ToldAnswer[]> }[] = [];
  let before: Strand = checkout;
  for (const [m, act] of money.acts.entries()) {
    if (act.beside) await time.until(() => before.end !== undefined, time.random() * soon);
    else await time.until(() => before.end !== undefined);
    before = time.spawn(() => done(stage, act, `${key}-${m}`, id));
    acts.push({ act, answers: before as Strand<readonly ToldAnswer[]> });
  }
  const told: Told['acts'][number][] = [];
  for (const { act, answers } of acts) told.push({ act, answers: await time.ended(answers) });
  await time.ended(buyer);
  const answers = await time.ended(checkout);
  return { key, id, history: money, checkout: answers, acts: told };
}

async function askedFor(
  { time, callers }: Stage,
  times: number,
  flow: AnyFlow,
  named: string,
  request: Record<string, unknown>,
): Promise<readonly ToldAnswer[]> {
  const asking = Array.from({ length: times }, () => time.spawn(() => callers.ask(flow, named, request)));
  const answers: ToldAnswer[] = [];
  for (const one of asking) answers.push(await time.ended(one));
  return answers;
}

/** The buyer goes where the checkout sends them, once it does. */
async function atTheBank({ time, account }: Stage, confirms: boolean, takes: number, checkout: Strand): Promise<void> {
  await time.until(() => account.asking !== undefined || checkout.end !== undefined);
  const { asking } = account;
  if (asking === undefined) return;
  await time.sleep(takes);
  account.answer(asking, confirms);
}

async function done(stage: Stage, act: Act, named: string, checkout: string): Promise<readonly ToldAnswer[]> {
  const { time, callers, account, post, sql } = stage;
  const payment = account.paid;
  switch (act.do) {
    case 'refund': {
      const amount = act.minor === undefined ? {} : { amount: { minor: act.minor, currency: 'eur' } };
      return await askedFor(stage, act.asked, refundFlow, named, { checkout, ...amount });
    }
    case 'cancel': {
      const [order] = await sql<{ id: string }>(
        'select id from hapax.customer_order where operation_id = $1',
        checkout,
      );
      return order === undefined
        ? []
        : await askedFor(stage, act.asked, cancellationFlow, named, { orderId: order.id });
    }
    case 'cancel the checkout':
      await callers.cancel(checkout);
      return [];
    case 'refund at the provider':
      if (payment !== undefined) account.refund(payment, act.minor, undefined);
      return [];
    case 'dispute': {
      const close = payment === undefined ? undefined : account.dispute(payment);
      if (close === undefined || act.ends === undefined) return [];
      await time.sleep(time.random() * minutes(1));
      close(act.ends === 'won');
      return [];
    }
    case 'fail the newest refund':
      if (payment !== undefined) account.failNewestRefund(payment);
      return [];
    case 'have an event sent again':
      post.sendAgain();
      return [];
  }
}
