import { consumedId } from '../../workflows/operation/key.ts';
import type { HeldMessage } from '../stores/postgres/consumer/hold-message.ts';
import type { Consumer } from './define-consumer.ts';
import { type Judged, largestMessage } from './judge-message.ts';

/** A message as its row keeps it. */
export function heldOf(
  { name }: Consumer,
  { key, delivered, ...judged }: Extract<Judged, { readonly kind: 'sound' | 'unusable' }>,
): HeldMessage {
  const event = 'event' in judged ? judged.event : undefined;
  return {
    id: consumedId({ ...key, consumer: name }),
    key,
    subject: delivered.subject,
    body: delivered.body.byteLength > largestMessage ? null : delivered.body,
    type: event?.type ?? null,
    aggregate: event?.aggregate ?? null,
    sequence: event?.sequence ?? null,
    operation: 'operation' in judged ? judged.operation : judged.event.operation,
    cause: event?.cause ?? null,
  };
}
