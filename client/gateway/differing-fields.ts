import { isDeepStrictEqual } from 'node:util';
import type { OperationRecord } from '../../activities/stores/postgres/ledger/read-operation.ts';
import { SealFault, Seals } from '../../activities/seal/seals.ts';
import type { AnyFlow } from '../../workflows/operation/flow.ts';
import type { GatewayParts } from './gateway-parts.ts';
import { openedRequest } from './sealed-request.ts';

/**
 * @returns the fields of the intent that an operation's own request has otherwise, apart from those that the deployment
 *   fills in where a caller leaves them out, and those of which only a hash is kept; none when that request cannot be opened
 */
export function differingFields(
  { seals = Seals.none, terms }: Pick<GatewayParts, 'seals' | 'terms'>,
  flow: AnyFlow,
  record: OperationRecord,
  request: Readonly<Record<string, unknown>>,
): readonly string[] {
  const own = opened(seals, flow, record);
  if (own === undefined) return [];
  const fills = terms?.[flow.name]?.fills ?? [];
  const hashed: readonly string[] = flow.hashed;
  return flow.intent.filter(
    (field) =>
      !hashed.includes(field) &&
      !isDeepStrictEqual(request[field], own[field]) &&
      (request[field] !== undefined || !fills.includes(field)),
  );
}

function opened(seals: Seals, flow: AnyFlow, record: OperationRecord): OperationRecord['request'] | undefined {
  try {
    return openedRequest(seals, flow, record, record.request);
  } catch (error) {
    if (error instanceof SealFault) return undefined;
    throw error;
  }
}
