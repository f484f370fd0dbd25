import type { Seals } from '../seal/seals.ts';
import type { Delivery } from '../stores/postgres/outbox/due-deliveries.ts';
import type { DeclaredMessage } from './declared-message.ts';

/**
 * @returns what a message tells, with its sealed fields opened; what the build before sealed fields has told is plain, and stays so
 * @throws SealFault where one cannot be opened. That is no fault of the message: it is tried again
 */
export function openedPayload(
  { payload, tenant, operation }: Delivery['message'],
  { sealed }: Pick<DeclaredMessage<never>, 'sealed'>,
  seals: Seals,
): unknown {
  if (sealed === undefined || typeof payload !== 'object' || payload === null) return payload;
  const { flow, fields } = sealed;
  const opened = Object.entries(payload)
    .filter(([field]) => fields.includes(field))
    .map(([field, value]) => [field, seals.open(value, { tenant, flow, operation, field })]);
  return { ...payload, ...Object.fromEntries(opened) };
}
