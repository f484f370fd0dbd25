import { refuseUnknown } from './parameters.ts';
import { invalidRequest } from './stripe-error.ts';

const EXPAND = /^expand\[\d*\]$/;

/** Reads what a request wants written out instead of named by its id, and refuses what is not modelled. */
export function expansions(query: URLSearchParams, known: readonly string[], offered: readonly string[]): Set<string> {
  const names = [...query.keys()];
  refuseUnknown(
    names.filter((name) => !EXPAND.test(name)),
    known,
  );
  const wanted = names.filter((name) => EXPAND.test(name)).flatMap((name) => query.getAll(name));
  const odd = wanted.find((one) => !offered.includes(one));
  if (odd !== undefined)
    throw invalidRequest(`This property cannot be expanded (${odd}).`, { code: 'property_cannot_be_expanded' });
  return new Set(wanted);
}
