import type { AnyFlow } from './flow.ts';

type Request = Readonly<Record<string, unknown>>;

/** @returns the request as stories and Temporal see it: the hashes of passwords stay in the ledger */
export function withoutHashes({ hashed }: Pick<AnyFlow, 'hashed'>, request: Request): Request {
  if (hashed.length === 0) return request;
  const kept: readonly string[] = hashed;
  return Object.fromEntries(Object.entries(request).filter(([field]) => !kept.includes(field)));
}
