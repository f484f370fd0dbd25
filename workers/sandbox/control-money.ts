import { z } from 'zod';
import { disputable, type Dispute, presentDispute, takesBack } from './dispute.ts';
import type { Execution } from './execution.ts';
import { type Payout, presentPayout } from './payout.ts';
import { newId, type Provider } from './provider.ts';
import { givesBack, presentRefund, type Refund } from './refund.ts';
import { invalidRequest, missingResource } from './stripe-error.ts';

const amount = z.int().min(1).optional();
const disputeWish = z.strictObject({ payment_intent: z.string(), amount, reason: z.string().default('fraudulent') });
const disputeEnd = z.strictObject({ outcome: z.enum(['won', 'lost']) });
const payoutWish = z.strictObject({ currency: z.string(), amount });
const refundEnd = z.strictObject({ reason: z.string().default('expired_or_canceled_card') });

const REFUND_FAILS = /^\/_control\/refunds\/([^/]+)\/fail$/;
const DISPUTE_ENDS = /^\/_control\/disputes\/([^/]+)\/close$/;

/**
 * What banks do by themselves: refunds that come back, disputes, payouts.
 * @returns undefined where the path is none of these
 */
export function controlMoney(provider: Provider, path: string, wish: unknown): unknown {
  const execution = executionOf(path, wish);
  if (execution === undefined) return undefined;
  // A wish that cannot be fulfilled is the test's fault, and no answer of the provider's.
  execution(provider.ledger, { at: 0, newId });
  const { body } = provider.execute(execution, { requestId: newId('req'), path, key: null }, undefined);
  return JSON.parse(body) as unknown;
}

function executionOf(path: string, wish: unknown): Execution | undefined {
  if (path === '/_control/disputes') return openDispute(disputeWish.parse(wish));
  if (path === '/_control/payouts') return payOut(payoutWish.parse(wish));
  const refund = REFUND_FAILS.exec(path)?.[1];
  if (refund !== undefined) return failRefund(refund, refundEnd.parse(wish).reason);
  const dispute = DISPUTE_ENDS.exec(path)?.[1];
  return dispute === undefined ? undefined : closeDispute(dispute, disputeEnd.parse(wish).outcome);
}

/** The buyer's bank sends a refund back, for instance because the card is gone. */
function failRefund(id: string, reason: string): Execution {
  return (ledger, { at }) => {
    const found = ledger.refunds.get(id);
    if (found === undefined) throw missingResource('refund', id, 'id');
    if (!givesBack(found)) throw invalidRequest(`${id} has failed already.`);
    const refund: Refund = { ...found, failed: { at: Math.floor(at / 1000), reason } };
    const type = found.pending === true ? 'refund.dropped' : 'refund.failed';
    const effects = [{ type, amount: refund.amount, about: refund } as const];
    return { status: 200, body: presentRefund(refund), paymentIntents: [], refunds: [refund], effects };
  };
}

/** The buyer asks the bank for the money back. */
function openDispute({ payment_intent: id, amount: wanted, reason }: z.output<typeof disputeWish>): Execution {
  return (ledger, moment) => {
    const intent = ledger.paymentIntent(id);
    const standing = { refunds: ledger.refundsOf(id), disputes: ledger.disputesOf(id) };
    const { amount, charge } = disputable(intent, standing, wanted);
    const dispute: Dispute = {
      id: moment.newId('du'),
      created: Math.floor(moment.at / 1000),
      ...{ amount, currency: intent.currency, paymentIntent: id, charge, reason },
      metadata: {},
      status: 'needs_response',
    };
    return disputed(dispute, { type: 'dispute.created', amount });
  };
}

function closeDispute(id: string, outcome: 'won' | 'lost'): Execution {
  return (ledger) => {
    const found = ledger.disputes.get(id);
    if (found === undefined) throw missingResource('dispute', id, 'id');
    if (!takesBack(found) || found.status === 'lost') throw invalidRequest(`${id} is ${found.status} already.`);
    const dispute: Dispute = { ...found, status: outcome };
    return disputed(dispute, { type: `dispute.${outcome}`, amount: outcome === 'won' ? dispute.amount : 0 });
  };
}

function disputed(
  dispute: Dispute,
  effect: { type: 'dispute.created' | 'dispute.won' | 'dispute.lost'; amount: number },
) {
  return {
    status: 200,
    body: presentDispute(dispute),
    ...{ paymentIntents: [], refunds: [], disputes: [dispute] },
    effects: [{ ...effect, about: dispute }],
  };
}

/** The provider sends what the shop has with it, by default all of it. */
function payOut({ currency, amount: wanted }: z.output<typeof payoutWish>): Execution {
  return (ledger, moment) => {
    const balance = ledger.balance.get(currency) ?? 0;
    const amount = wanted ?? balance;
    if (amount < 1 || amount > balance) throw invalidRequest(`There are ${balance} ${currency} to pay out.`);
    const created = Math.floor(moment.at / 1000);
    const payout: Payout = { id: moment.newId('po'), created, amount, currency, metadata: {} };
    const effects = [{ type: 'payout.paid', amount, about: payout } as const];
    return { status: 200, body: presentPayout(payout), paymentIntents: [], refunds: [], payouts: [payout], effects };
  };
}
