import type { Prepare } from './execution.ts';
import { prepareCreate } from './prepare-create.ts';
import { prepareRefund } from './prepare-refund.ts';
import { prepareCancel, prepareCapture, prepareConfirm, prepareUpdate } from './prepare-step.ts';
import {
  listPaymentIntents,
  listRefunds,
  retrievePaymentIntent,
  retrieveRefund,
  searchPaymentIntents,
  type Read,
} from './reads.ts';
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

function read(method: string, collection: string, id: string, verb: string): Route | undefined {
  if (method !== 'GET' || verb !== '') return undefined;
  switch (`${collection}/${id}`) {
    case 'payment_intents/':
      return { kind: 'read', read: listPaymentIntents, id };
    case 'payment_intents/search':
      return { kind: 'read', read: searchPaymentIntents, id };
    case 'refunds/':
      return { kind: 'read', read: listRefunds, id };
    default:
      if (collection === 'payment_intents') return { kind: 'read', read: retrievePaymentIntent, id };
      return collection === 'refunds' ? { kind: 'read', read: retrieveRefund, id } : undefined;
  }
}
