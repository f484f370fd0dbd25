import { expansions } from './expansions.ts';
import type { Ledger } from './ledger.ts';
import { listPage, pageLimit } from './list-page.ts';
import type { PaymentIntent } from './payment-intent.ts';
import { presentChargeOf } from './present-movement.ts';
import { presentPaymentIntent } from './present-payment-intent.ts';
import { findEvent, presentEvent } from './provider-event.ts';
import { refuseUnknown } from './parameters.ts';
import { parseSearchQuery } from './search-query.ts';
import { now, type Settings } from './settings.ts';
import { invalidRequest } from './stripe-error.ts';

const PAGE = ['limit', 'starting_after'];

/** Answers a GET from the ledger. */
export type Read = (ledger: Ledger, query: URLSearchParams, id: string, settings: Settings) => unknown;

export const retrievePaymentIntent: Read = (ledger, query, id) => {
  const whole = expansions(query, ['client_secret'], ['latest_charge', 'latest_charge.balance_transaction']);
  const shown = presentPaymentIntent(ledger.paymentIntent(id));
  if (whole.size === 0 || shown.latest_charge === null) return shown;
  return { ...shown, latest_charge: presentChargeOf(ledger, id, whole.has('latest_charge.balance_transaction')) };
};

export const listPaymentIntents: Read = (ledger, query) => {
  refuseUnknown(query.keys(), ['customer', ...PAGE]);
  const customer = query.get('customer');
  const newest = [...ledger.versions.keys()].reverse().map((id) => ledger.paymentIntent(id));
  const kept = newest.filter((intent) => customer === null || intent.customer === customer);
  return listPage(kept.map(presentPaymentIntent), query, '/v1/payment_intents');
};

export const searchPaymentIntents: Read = (ledger, query, _id, settings) => {
  refuseUnknown(query.keys(), ['query', 'page', 'limit']);
  const text = query.get('query');
  if (text === null)
    throw invalidRequest('Missing required param: query.', { code: 'parameter_missing', param: 'query' });
  const matches = parseSearchQuery(text);
  const limit = pageLimit(query);
  const start = Number(query.get('page') ?? 0);
  const found = indexed(ledger, now(settings) - settings.searchLagMs).filter(matches);
  const more = start + limit < found.length;
  return {
    object: 'search_result',
    data: found.slice(start, start + limit).map(presentPaymentIntent),
    has_more: more,
    next_page: more ? String(start + limit) : null,
    url: '/v1/payment_intents/search',
  };
};

export const retrieveEvent: Read = (ledger, query, id) => {
  refuseUnknown(query.keys(), []);
  return presentEvent(findEvent(ledger.events, id));
};

export const listEvents: Read = (ledger, query) => {
  refuseUnknown(query.keys(), ['type', ...PAGE]);
  const type = query.get('type');
  const kept = ledger.events.filter((event) => type === null || event.type === type).reverse();
  return listPage(
    kept.map((event) => presentEvent(event)),
    query,
    '/v1/events',
  );
};

/** The ledger as the search index sees it: each PaymentIntent in its newest version up to that time. */
function indexed(ledger: Ledger, until: number): PaymentIntent[] {
  const seen: PaymentIntent[] = [];
  for (const versions of ledger.versions.values()) {
    const version = versions.findLast(({ at }) => at <= until);
    if (version !== undefined) seen.push(version.intent);
  }
  return seen.reverse();
}
