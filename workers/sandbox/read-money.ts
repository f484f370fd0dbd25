import { expansions } from './expansions.ts';
import { listPage, pageLimit } from './list-page.ts';
import type { Movement } from './movement.ts';
import { refuseUnknown } from './parameters.ts';
import { presentPayout } from './payout.ts';
import {
  movementNumber,
  presentChargeOf,
  presentMovedDispute,
  presentMovedRefund,
  presentMovement,
} from './present-movement.ts';
import type { Read } from './reads.ts';
import { chargeOf } from './payment-intent.ts';
import { invalidRequest, missingResource } from './stripe-error.ts';

const PAGE = ['limit', 'starting_after'];

/** The provider's own money ledger, newest first. It is read by its places, since it may be long. */
export const listMovements: Read = (ledger, query) => {
  const window = ['created[gte]', 'created[gt]', 'created[lt]', 'created[lte]'];
  const expanded = expansions(query, [...window, ...PAGE], ['data.source']).has('data.source');
  const fits = createdIn(query);
  const limit = pageLimit(query);
  const after = query.get('starting_after');
  const from = after === null ? ledger.movements.length : movementNumber(ledger, after);
  if (from === undefined) throw missingResource('balance_transaction', after ?? '', 'starting_after');
  const found: number[] = [];
  // One more than asked for, to know whether there are more.
  for (let n = from - 1; n >= 0 && found.length <= limit; n -= 1)
    if (fits(ledger.movements[n] as Movement)) found.push(n);
  return {
    object: 'list',
    data: found.slice(0, limit).map((n) => presentMovement(ledger, n, expanded)),
    has_more: found.length > limit,
    url: '/v1/balance_transactions',
  };
};

export const retrieveMovement: Read = (ledger, query, id) => {
  refuseUnknown(query.keys(), []);
  const n = movementNumber(ledger, id);
  if (n === undefined) throw missingResource('balance_transaction', id, 'id');
  return presentMovement(ledger, n, false);
};

export const retrieveBalance: Read = (ledger, query) => {
  refuseUnknown(query.keys(), []);
  const available = [...ledger.balance].map(([currency, amount]) => ({
    amount,
    currency,
    source_types: { card: amount },
  }));
  return { object: 'balance', available, livemode: false, pending: [] };
};

export const retrieveRefund: Read = (ledger, query, id) => {
  refuseUnknown(query.keys(), []);
  if (!ledger.refunds.has(id)) throw missingResource('refund', id, 'id');
  return presentMovedRefund(ledger, id, new Set());
};

export const listRefunds: Read = (ledger, query) => {
  const offered = ['data.balance_transaction', 'data.failure_balance_transaction'];
  const expanded = expansions(query, ['payment_intent', ...PAGE], offered);
  const intent = query.get('payment_intent');
  const refunds =
    intent === null
      ? [...ledger.refunds.values()]
      : ledger.refundsOf(ledger.paymentIntent(intent, 'payment_intent').id);
  const shown = [...refunds].reverse().map(({ id }) => presentMovedRefund(ledger, id, expanded));
  return listPage(shown, query, '/v1/refunds');
};

export const retrieveDispute: Read = (ledger, query, id) => {
  refuseUnknown(query.keys(), []);
  if (!ledger.disputes.has(id)) throw missingResource('dispute', id, 'id');
  return presentMovedDispute(ledger, id);
};

export const listDisputes: Read = (ledger, query) => {
  refuseUnknown(query.keys(), ['payment_intent', ...PAGE]);
  const intent = query.get('payment_intent');
  const disputes =
    intent === null
      ? [...ledger.disputes.values()]
      : ledger.disputesOf(ledger.paymentIntent(intent, 'payment_intent').id);
  return listPage(
    [...disputes].reverse().map(({ id }) => presentMovedDispute(ledger, id)),
    query,
    '/v1/disputes',
  );
};

export const retrieveCharge: Read = (ledger, query, id) => {
  refuseUnknown(query.keys(), []);
  const intent = [...ledger.versions.keys()].find((one) => chargeOf(ledger.paymentIntent(one)) === id);
  if (intent === undefined) throw missingResource('charge', id, 'id');
  return presentChargeOf(ledger, intent);
};

export const retrievePayout: Read = (ledger, query, id) => {
  refuseUnknown(query.keys(), []);
  const payout = ledger.payouts.get(id);
  if (payout === undefined) throw missingResource('payout', id, 'id');
  return presentPayout(payout);
};

function createdIn(query: URLSearchParams): (movement: Movement) => boolean {
  const bound = (name: string): number | undefined => {
    const text = query.get(`created[${name}]`);
    if (text === null) return undefined;
    if (!/^\d{1,12}$/.test(text)) throw invalidRequest(`Invalid integer: ${text}`, { param: `created[${name}]` });
    return Number(text);
  };
  const [gte, gt, lt, lte] = [bound('gte'), bound('gt'), bound('lt'), bound('lte')];
  return ({ at }) => {
    const created = Math.floor(at / 1000);
    return (
      (gte === undefined || created >= gte) &&
      (gt === undefined || created > gt) &&
      (lt === undefined || created < lt) &&
      (lte === undefined || created <= lte)
    );
  };
}
