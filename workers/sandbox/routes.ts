import type { Prepare } from './execution.ts';
import { prepareCreate } from './prepare-create.ts';
import { prepareRefund } from './prepare-refund.ts';
import { prepareCancel, prepareCapture, prepareConfirm, prepareUpdate } from './prepare-step.ts';
import {
  listEvents,
  listPaymentIntents,
  retrieveEvent,
  retrievePaymentIntent,
  searchPaymentIntents,
  type Read,
} from './reads.ts';
import {
  listDisputes,
  listMovements,
  listRefunds,
  retrieveBalance,
  retrieveCharge,
  retrieveDispute,
  retrieveMovement,
  retrievePayout,
  retrieveRefund,
} from './read-money.ts';
import { unknownUrl } from './stripe-error.ts';

/** What a request to /v1 asks for. */
export type Route = { kind: 'write'; prepare: Prepare; id: string } | { kind: 'read'; read: Read; id: string };

/** Finds the route of a request, or refuses it in Stripe's words. */
export function findRoute(method: string, path: string): Route {
  const [, , collection = '', id = '', verb = '', ...rest] = path.split('/');
  const route =
    rest.length > 0 ? undefined : method === 'POST' ? write(collection, id, verb) : read(method, collection, id, verb);
  if (route === undefined) throw unknownUrl(method, path);
  return route;
}

function write(collection: string, id: string, verb: string): Route | undefined {
  const prepare = writes(collection, id, verb);
  return prepare === undefined ? undefined : { kind: 'write', prepare, id };
}

function writes(collection: string, id: string, verb: string): Prepare | undefined {
  if (collection === 'refunds') return id === '' && verb === '' ? prepareRefund : undefined;
  if (collection !== 'payment_intents') return undefined;
  if (id === '') return verb === '' ? prepareCreate : undefined;
  switch (verb) {
    case '':
      return prepareUpdate;
    case 'confirm':
      return prepareConfirm;
    case 'capture':
      return prepareCapture;
    case 'cancel':
      return prepareCancel;
    default:
      return undefined;
  }
}

const LISTS: Record<string, Read> = {
  payment_intents: listPaymentIntents,
  'payment_intents/search': searchPaymentIntents,
  events: listEvents,
  refunds: listRefunds,
  disputes: listDisputes,
  balance: retrieveBalance,
  balance_transactions: listMovements,
};

const OBJECTS: Record<string, Read> = {
  payment_intents: retrievePaymentIntent,
  events: retrieveEvent,
  refunds: retrieveRefund,
  disputes: retrieveDispute,
  charges: retrieveCharge,
  payouts: retrievePayout,
  balance_transactions: retrieveMovement,
};

function read(method: string, collection: string, id: string, verb: string): Route | undefined {
  if (method !== 'GET' || verb !== '') return undefined;
  const lists = id === '' ? collection : `${collection}/${id}`;
  const found = Object.hasOwn(LISTS, lists)
    ? LISTS[lists]
    : Object.hasOwn(OBJECTS, collection)
      ? OBJECTS[collection]
      : undefined;
  return found && { kind: 'read', read: found, id };
}
