import { presentCharge } from './charge.ts';
import { presentDispute } from './dispute.ts';
import type { Ledger } from './ledger.ts';
import { type Movement, movementId } from './movement.ts';
import { chargeOf } from './payment-intent.ts';
import { presentPayout } from './payout.ts';
import { leftOf, presentRefund } from './refund.ts';

const ID = /^txn_(\d{9})$/;

/** @returns undefined where no movement has such an id */
export function movementNumber(ledger: Ledger, id: string): number | undefined {
  const n = Number(ID.exec(id)?.[1] ?? Number.NaN);
  return n < ledger.movements.length ? n : undefined;
}

/** A balance transaction as Stripe writes it. @param expanded with the whole object that moved the money */
export function presentMovement(ledger: Ledger, n: number, expanded: boolean) {
  const movement = ledger.movements[n] as Movement;
  const { at, type, category, amount, fee, currency } = movement;
  const created = Math.floor(at / 1000);
  return {
    id: movementId(n),
    object: 'balance_transaction',
    amount,
    available_on: created,
    created,
    currency,
    description: null,
    exchange_rate: null,
    fee,
    fee_details: fee === 0 ? [] : [{ amount: fee, currency, type: 'stripe_fee', application: null, description: null }],
    net: amount - fee,
    reporting_category: category,
    source: expanded ? sourceOf(ledger, movement) : sourceId(ledger, movement),
    status: 'available',
    type,
  };
}

/** The charge of a PaymentIntent, as it is now. @param expanded with the whole of its movement */
export function presentChargeOf(ledger: Ledger, intentId: string, expanded = false) {
  const intent = ledger.paymentIntent(intentId);
  const captured = intent.state.status === 'succeeded' ? intent.state.received : 0;
  const [movement] = ledger.movementsOf(intentId);
  const charge = presentCharge({
    id: chargeOf(intent),
    intent,
    refunded: captured - leftOf(captured, ledger.refundsOf(intentId)),
    disputed: ledger.disputesOf(intentId).length > 0,
    movement,
  });
  if (!expanded || movement === undefined) return charge;
  return { ...charge, balance_transaction: presentMovement(ledger, movement, false) };
}

/** A refund with its movements. */
export function presentMovedRefund(ledger: Ledger, id: string, expanded: ReadonlySet<string>) {
  const refund = ledger.refunds.get(id);
  if (refund === undefined) throw new Error(`There is no refund ${id}`);
  const [back, returned] = ledger.movementsOf(id);
  const shown = (n: number | undefined, member: string) => {
    if (n === undefined) return null;
    return expanded.has(`data.${member}`) ? presentMovement(ledger, n, false) : movementId(n);
  };
  return {
    ...presentRefund(refund),
    balance_transaction: shown(back, 'balance_transaction'),
    ...(returned === undefined ? {} : { failure_balance_transaction: shown(returned, 'failure_balance_transaction') }),
  };
}

/** A dispute with its movements, which Stripe always writes out. */
export function presentMovedDispute(ledger: Ledger, id: string) {
  const dispute = ledger.disputes.get(id);
  if (dispute === undefined) throw new Error(`There is no dispute ${id}`);
  return {
    ...presentDispute(dispute),
    balance_transactions: ledger.movementsOf(id).map((n) => presentMovement(ledger, n, false)),
  };
}

function sourceId(ledger: Ledger, { type, object }: Movement): string | null {
  return type === 'charge' ? chargeOf(ledger.paymentIntent(object)) : object;
}

function sourceOf(ledger: Ledger, { type, object }: Movement): object | null {
  switch (type) {
    case 'charge':
      return presentChargeOf(ledger, object);
    case 'refund':
    case 'refund_failure':
      return presentMovedRefund(ledger, object, new Set());
    case 'adjustment': {
      const dispute = ledger.disputes.get(object);
      return dispute === undefined ? null : presentDispute(dispute);
    }
    case 'payout': {
      const payout = ledger.payouts.get(object);
      return payout === undefined ? null : presentPayout(payout);
    }
  }
}
