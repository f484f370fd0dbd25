import type { Delivery, Webhook } from '../../stores/postgres/outbox/due-deliveries.ts';

/** As many digits as the largest bigint has: padded, they sort as text as they do as numbers. */
const sequenceDigits = 19;

/**
 * An event as others get it: CloudEvents 1.0 in its JSON format. `sequence` is CloudEvents' own extension, whose values sort as text;
 * ours count within the subject, from one and without a gap. Names of extensions have lower-case letters and digits only.
 */
type EventEnvelope = {
  readonly specversion: '1.0';
  /** Of the message: the same however often it arrives. */
  readonly id: string;
  readonly source: string;
  readonly type: string;
  /** What it is about. */
  readonly subject: string;
  readonly time: string;
  readonly datacontenttype: 'application/json';
  readonly data: unknown;
  readonly sequence: string;
  /** The operation that told it. */
  readonly hapaxoperation: string;
  /** The request, or the delivery of an event, that began the operation. */
  readonly hapaxcause?: string;
};

/** What is sent of an event: the same bytes at each try. */
export function eventEnvelope(
  message: Delivery['message'],
  { aggregate, sequence, cause }: Webhook['event'],
): EventEnvelope {
  return {
    specversion: '1.0',
    id: message.id,
    source: `/hapax/${message.tenant}/${message.environment}`,
    type: message.type,
    subject: `${aggregate}/${message.about}`,
    time: message.occurredAt.toISOString(),
    datacontenttype: 'application/json',
    data: message.payload,
    sequence: String(sequence).padStart(sequenceDigits, '0'),
    hapaxoperation: message.operation,
    ...(cause === null ? {} : { hapaxcause: cause }),
  };
}
