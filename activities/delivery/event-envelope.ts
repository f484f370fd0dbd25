import { z } from 'zod';
import type { OutboxEvent } from '../stores/postgres/outbox/due-events.ts';

/** As many digits as the largest bigint has: padded, they sort as text as they do as numbers. */
const sequenceDigits = 19;

/**
 * An event as others get it: CloudEvents 1.0 in its JSON format. `sequence` is CloudEvents' own extension, whose values sort as
 * text; ours count within the subject, from one and without a gap. Names of extensions have lower-case letters and digits only.
 */
const envelope = z.strictObject({
  specversion: z.literal('1.0'),
  id: z.string().min(1),
  source: z.string().startsWith('/hapax/'),
  type: z.string().min(1),
  subject: z.string().min(1),
  time: z.iso.datetime(),
  datacontenttype: z.literal('application/json'),
  data: z.json(),
  sequence: z.string().regex(/^\d{19}$/),
  /** The operation that told it. */
  hapaxoperation: z.string().min(1),
  /** The request, or the delivery of an event, that began the operation. */
  hapaxcause: z.string().min(1).optional(),
});

export type EventEnvelope = z.output<typeof envelope>;

/** @throws ZodError where the row cannot be told as a CloudEvent */
export function eventEnvelope(event: OutboxEvent): EventEnvelope {
  return envelope.parse({
    specversion: '1.0',
    id: event.id,
    source: `/hapax/${event.tenant}/${event.environment}`,
    type: event.type,
    subject: `${event.aggregateType}/${event.aggregate}`,
    time: event.occurredAt.toISOString(),
    datacontenttype: 'application/json',
    data: event.payload,
    sequence: String(event.sequence).padStart(sequenceDigits, '0'),
    hapaxoperation: event.operation,
    ...(event.cause === null ? {} : { hapaxcause: event.cause }),
  });
}
