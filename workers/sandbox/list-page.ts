import { invalidRequest, missingResource } from './stripe-error.ts';

// Stripe, "Pagination": "limit can range between 1 and 100, and the default is 10".
const DEFAULT_LIMIT = 10;
const MAX_LIMIT = 100;

/** One page of a list, newest first, as Stripe writes it. */
export function listPage<Item extends { id: string }>(
  newestFirst: readonly Item[],
  query: URLSearchParams,
  url: string,
) {
  const limit = pageLimit(query);
  const after = query.get('starting_after');
  const start = after === null ? 0 : newestFirst.findIndex((item) => item.id === after) + 1;
  if (after !== null && start === 0) throw missingResource('object', after, 'starting_after');
  const data = newestFirst.slice(start, start + limit);
  return { object: 'list', data, has_more: start + limit < newestFirst.length, url };
}

export function pageLimit(query: URLSearchParams): number {
  const text = query.get('limit');
  if (text === null) return DEFAULT_LIMIT;
  const limit = Number(text);
  if (Number.isInteger(limit) && limit >= 1 && limit <= MAX_LIMIT) return limit;
  throw invalidRequest(`Invalid limit: must be between 1 and ${MAX_LIMIT}.`, {
    code: 'parameter_invalid_integer',
    param: 'limit',
  });
}
