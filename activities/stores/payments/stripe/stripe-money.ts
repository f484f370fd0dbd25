import Stripe from 'stripe';
import type { FactOrigin, MoneyFact } from '../money-fact.ts';
import type { Looking } from '../payment-provider.ts';
import { factsOf, idOf, originOf, sourceOf } from './stripe-facts.ts';

/** As many as Stripe lists in one page. */
const page = 100;
/** As many as the package reads of a list. A payment of a cent at least each has no more refunds in practice. */
const mostOfOne = 10_000;

/** A payout is of no payment: it is what the account was paid. */
export async function payoutOf(
  stripe: Stripe,
  payout: string,
  tenant: string,
  { timeout }: Looking,
): Promise<readonly MoneyFact[]> {
  const {
    amount,
    currency,
    created,
    livemode: live,
    status,
  } = await stripe.payouts.retrieve(payout, {}, { timeout, maxNetworkRetries: 0 });
  if (status !== 'paid') return [];
  const origin = { tenant, order: undefined, operation: undefined };
  const at = new Date(created * 1000).toISOString();
  return [{ object: payout, kind: 'paid_out', amount, currency, payment: null, origin, live, at }];
}

/** Asks for the payment, its refunds and its disputes, each with its movements. An event may be old; this is the state. */
export async function moneyOf(
  stripe: Stripe,
  payment: string,
  tenant: string | undefined,
  { timeout }: Looking,
): Promise<readonly MoneyFact[] | undefined> {
  const options = { timeout, maxNetworkRetries: 0 };
  const intent = await stripe.paymentIntents
    .retrieve(payment, { expand: ['latest_charge.balance_transaction'] }, options)
    .catch((error: unknown) => {
      if (error instanceof Stripe.errors.StripeInvalidRequestError && error.code === 'resource_missing')
        return undefined;
      throw error;
    });
  const owner = intent?.metadata.tenant;
  if (intent === undefined || owner === undefined || owner !== (tenant ?? owner)) return undefined;
  const live = intent.livemode;
  const [refunds, disputes] = await Promise.all([
    stripe.refunds
      .list(
        {
          payment_intent: payment,
          limit: page,
          expand: ['data.balance_transaction', 'data.failure_balance_transaction'],
        },
        options,
      )
      .autoPagingToArray({ limit: mostOfOne }),
    stripe.disputes.list({ payment_intent: payment, limit: page }, options).autoPagingToArray({ limit: mostOfOne }),
  ]);
  const origin: FactOrigin = { tenant: owner, order: intent.metadata.order, operation: intent.metadata.operation };
  const facts = [
    ...captured(intent),
    ...refunds.flatMap((refund) => refunded(refund, live)),
    ...disputes.flatMap((dispute) =>
      dispute.balance_transactions.flatMap((transaction) => moved(transaction, dispute, live)),
    ),
  ];
  return facts.map((fact) => ofPayment(fact, payment, origin));
}

/** A refund names its own operation; what it does not say, the payment does. */
function ofPayment(fact: MoneyFact, payment: string, origin: FactOrigin): MoneyFact {
  const operation = fact.origin?.operation ?? origin.operation;
  return { ...fact, payment, origin: { ...origin, operation } };
}

function captured({
  id,
  currency,
  latest_charge: charge,
  metadata,
  livemode: live,
}: Stripe.PaymentIntent): readonly MoneyFact[] {
  if (charge === null || typeof charge === 'string') return [];
  const transaction = charge.balance_transaction;
  if (transaction === null || typeof transaction === 'string') return [];
  return factsOf(transaction, { object: id, amount: charge.amount_captured, currency, payment: id, metadata, live });
}

/**
 * A refund that failed while it was pending has moved nothing, so the ledger of the provider has no line of it. It is booked as
 * made and as failed: when it was asked for, we may have booked it as made.
 */
function refunded(refund: Stripe.Refund, live: boolean): readonly MoneyFact[] {
  const { balance_transaction: gone, failure_balance_transaction: returned, status } = refund;
  if (gone === null && (status === 'failed' || status === 'canceled'))
    return (['refunded', 'refund_failed'] as const).map((kind) => ({ ...factOf(refund, live), kind }));
  return [...moved(gone, refund, live), ...moved(returned, refund, live)];
}

function factOf({ id, amount, currency, payment_intent: intent, metadata, created }: Stripe.Refund, live: boolean) {
  return {
    object: id,
    ...{ amount, currency, payment: idOf(intent), origin: originOf(metadata ?? {}), live },
    at: new Date(created * 1000).toISOString(),
  };
}

function moved(
  transaction: string | Stripe.BalanceTransaction | null | undefined,
  { id, amount, currency, payment_intent: intent, metadata }: Stripe.Refund | Stripe.Dispute,
  live: boolean,
): readonly MoneyFact[] {
  if (transaction === null || transaction === undefined || typeof transaction === 'string') return [];
  return factsOf(transaction, { object: id, amount, currency, payment: idOf(intent), metadata: metadata ?? {}, live });
}

/** Stripe's ledger, newest first. The next page is asked for while the last one is compared. */
export async function* movementsOf(
  stripe: Stripe,
  from: string,
  { timeout }: Looking,
): AsyncIterable<readonly MoneyFact[]> {
  const options = { timeout, maxNetworkRetries: 0 };
  const { livemode: live } = await stripe.balance.retrieve({}, options);
  const list = (after: string | undefined) =>
    stripe.balanceTransactions.list(
      {
        created: { gte: Math.floor(Date.parse(from) / 1000) },
        expand: ['data.source'],
        limit: page,
        ...(after === undefined ? {} : { starting_after: after }),
      },
      options,
    );
  for (let next: ReturnType<typeof list> | undefined = list(undefined); next !== undefined; ) {
    const { data, has_more: more }: Stripe.ApiList<Stripe.BalanceTransaction> = await next;
    next = more ? list(data.at(-1)?.id) : undefined;
    // Who gives up in between must not leave a failure that nobody has awaited.
    next?.catch(() => undefined);
    yield data.flatMap((transaction) => {
      const source = sourceOf(transaction.source, live);
      return source === undefined ? [] : factsOf(transaction, source);
    });
  }
}
