import type { Delivery, Webhook } from '../../stores/postgres/outbox/due-deliveries.ts';

/** An event as others get it, by CloudEvents 1.0. */
type EventEnvelope = {
  readonly specversion: '1.0';
  /** Of the message: the same however often it arrives. */
  readonly id: string;
  /** Whose event it is, and what kind of thing it is about. */
  readonly source: string;
  readonly type: string;
  /** What it is about. */
  readonly subject: string;
  readonly time: string;
  readonly datacontenttype: 'application/json';
  readonly data: unknown;
  /** What told it. */
  readonly operation: string;
  /** The request that began the operation. */
  readonly cause?: string;
  /** From 1, in the order of what happened to the subject, without a gap. */
  readonly sequence: number;
};

/** What is sent of an event: the same bytes at each try. */
export function eventEnvelope(
  message: Delivery['message'],
  { aggregate, sequence, cause }: Webhook['event'],
): EventEnvelope {
  const { id, tenant, environment, type, about, occurredAt, payload, operation } = message;
  return {
    specversion: '1.0',
    id,
    source: `/${[tenant, environment, aggregate].map(encodeURIComponent).join('/')}`,
    type,
    subject: about,
    time: occurredAt.toISOString(),
    datacontenttype: 'application/json',
    data: payload,
    operation,
    ...(cause === null ? {} : { cause }),
    sequence,
  };
}
