import type { Seals } from '../../activities/seal/seals.ts';
import type { AnyFlow } from '../../workflows/operation/flow.ts';

type Request = Readonly<Record<string, unknown>>;
type Owner = { readonly tenant: string; readonly id: string };

/** @returns the request as it is stored: the fields that its flow seals are sealed for this operation */
export function sealedRequest(seals: Seals, flow: AnyFlow, owner: Owner, request: Request): Request {
  return each(flow, request, (value, field) => seals.seal(value, placeOf(flow, owner, field)));
}

/**
 * @returns the request as its caller sent it
 * @throws SealFault when a field cannot be opened
 */
export function openedRequest(seals: Seals, flow: AnyFlow, owner: Owner, request: Request): Request {
  return each(flow, request, (value, field) => seals.open(value, placeOf(flow, owner, field)));
}

function each({ sealed }: AnyFlow, request: Request, change: (value: unknown, field: string) => unknown): Request {
  const present = sealed.filter((field) => request[field] !== undefined);
  if (present.length === 0) return request;
  return { ...request, ...Object.fromEntries(present.map((field) => [field, change(request[field], field)])) };
}

function placeOf({ name: flow }: AnyFlow, { tenant, id: operation }: Owner, field: string) {
  return { tenant, flow, operation, field };
}
