import { cartOf } from '../checkout/load.ts';

/** What either route is asked: a POST with a token, a key and a cart. */
export type HttpRequest = {
  readonly url: string;
  readonly method: 'POST';
  readonly headers: Record<string, string>;
  readonly body: string;
};

/** @param changes of the cart, such as another card */
export function checkoutRequest(door: string, route: string, key: string, changes: object = {}): HttpRequest {
  return {
    url: `${door}${route}`,
    method: 'POST',
    headers: { authorization: 'Bearer local-alpha', 'content-type': 'application/json', 'idempotency-key': key },
    body: JSON.stringify({ ...cartOf(key), ...changes }),
  };
}
