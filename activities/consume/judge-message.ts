import { z } from 'zod';
import { isErased } from '../delivery/is-erased.ts';
import type { Delivered } from '../stores/message-source.ts';
import type { MessageKey } from '../stores/postgres/consumer/message-key.ts';
import type { ConsumedEvent, Consumer } from './define-consumer.ts';
import { isSoundName, longestName } from './sound-name.ts';
import { tenantOf } from './tenant-of.ts';

type UnusableCode =
  | 'message-too-large'
  | 'message-unreadable'
  | 'message-without-id'
  | 'message-invalid'
  | 'sequence-missing'
  | 'sequence-too-far';

/** A message that its consumer can use. */
export type SoundMessage = {
  readonly kind: 'sound';
  readonly key: MessageKey;
  readonly event: ConsumedEvent;
  readonly delivered: Delivered;
  /** It has no effect, and takes its place in the order of its aggregate: those behind it would wait for it. */
  readonly passes: boolean;
};

export type Judged =
  | SoundMessage
  /** Of a type that the consumer does not act on, or of data that were erased. */
  | { readonly kind: 'ignored'; readonly erased: boolean }
  | {
      readonly kind: 'unusable';
      readonly key: MessageKey;
      readonly why: { readonly code: UnusableCode; readonly detail: string };
      /** The operation that its envelope names, as far as that could be read. It is erased with it. */
      readonly operation: string | null;
      readonly delivered: Delivered;
    }
  /** Nobody's: the subject names no tenant, so that there is no list to show it in. */
  | { readonly kind: 'nobodys' };

/** Larger messages are refused unread: NATS itself takes no more than this unless it is told to. Bytes. */
export const largestMessage = 1024 * 1024;

const name = z.string().refine(isSoundName, `give 1 to ${longestName} bytes without control characters`);
/** The ids of senders are printable ASCII, as those of webhooks are. */
const soundId = /^[\x20-\x7e]{1,255}$/;

/** CloudEvents 1.0, as far as a consumer reads it. Unknown attributes are extensions of others. */
const envelope = z.object({
  specversion: z.literal('1.0'),
  source: name,
  type: name,
  subject: name.optional(),
  time: z.iso.datetime({ offset: true }).optional(),
  sequence: z.union([z.string(), z.int()]).optional(),
  hapaxoperation: name.optional(),
  hapaxcause: name.optional(),
  data: z.unknown().optional(),
});

/** Reads a delivery as its consumer declares it. The same bytes are judged alike each time. */
export function judgeMessage(consumer: Consumer, delivered: Delivered): Judged {
  const whose = tenantOf(consumer.from.tenancy, delivered.subject);
  if (whose === undefined) return { kind: 'nobodys' };
  // Until it has a name of its own, it is known by its place.
  let key: MessageKey = { ...whose, source: consumer.from.stream, message: delivered.place };
  let operation: string | null = null;
  const unusable = (code: UnusableCode, detail: string): Judged => ({
    ...{ kind: 'unusable', key, delivered, operation },
    why: { code, detail: detail.replaceAll('\0', '').slice(0, longestDetail) },
  });

  const { byteLength: size } = delivered.body;
  if (size > largestMessage)
    return unusable(
      'message-too-large',
      `It has ${size} bytes, and ${largestMessage} are read at most: it was not kept.`,
    );
  const read = jsonOf(delivered.body);
  if (typeof read !== 'object' || read === null || Array.isArray(read))
    return unusable('message-unreadable', 'Its body is no JSON object in UTF-8.');
  const id = 'id' in read ? read.id : undefined;
  if (typeof id !== 'string' || !soundId.test(id))
    return unusable('message-without-id', 'It has no id of 1 to 255 printable ASCII characters.');
  const enveloped = envelope.safeParse(read);
  if (!enveloped.success)
    return unusable('message-invalid', `Its envelope is no CloudEvent: ${issuesOf(enveloped.error)}`);
  const { source, type, subject, time, sequence: numbered, hapaxoperation, hapaxcause } = enveloped.data;
  key = { ...whose, source, message: id };
  operation = hapaxoperation ?? null;

  const schema = Object.hasOwn(consumer.types, type) ? consumer.types[type] : undefined;
  const sequence = sequenceOf(numbered);
  const isPlaced = subject !== undefined && Number.isSafeInteger(sequence);
  // The data of its subject were erased before it was read: nothing is left to act on.
  const erased = isErased(enveloped.data.data);
  const passes = schema === undefined || erased;
  if (passes && (consumer.order === 'any' || !isPlaced)) return { kind: 'ignored', erased };
  const data = passes ? { success: true as const, data: undefined } : schema.safeParse(enveloped.data.data);
  if (!data.success) return unusable('message-invalid', `Its data is not that of ${type}: ${issuesOf(data.error)}`);
  if (consumer.order !== 'any') {
    if (sequence === undefined || subject === undefined)
      return unusable(
        'sequence-missing',
        `${consumer.name} keeps an order: it needs a subject, and a sequence from 1 on.`,
      );
    if (!Number.isSafeInteger(sequence))
      return unusable('sequence-too-far', `Its sequence ${sequence} is larger than any that is counted to.`);
  }
  const event: ConsumedEvent = {
    ...{ id, source, ...whose, type, data: data.data },
    aggregate: subject ?? null,
    // Larger than any that is counted to: no order is kept, and no row takes it.
    sequence: Number.isSafeInteger(sequence) ? (sequence ?? null) : null,
    occurredAt: time === undefined ? null : new Date(time),
    operation,
    cause: hapaxcause ?? null,
  };
  return { kind: 'sound', key, event, delivered, passes };
}

/** The longest reason that is kept. Characters. */
const longestDetail = 1_000;

function jsonOf(body: Uint8Array): unknown {
  try {
    return JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(body));
  } catch {
    return undefined;
  }
}

/** CloudEvents writes it as text. Not a safe integer where it is larger than a number can count. */
function sequenceOf(numbered: string | number | undefined): number | undefined {
  const text = String(numbered ?? '');
  return /^\d{1,40}$/.test(text) && Number(text) > 0 ? Number(text) : undefined;
}

/** What is wrong, without the values: they may be personal. */
function issuesOf({ issues }: z.ZodError): string {
  return issues.map(({ path, message }) => `${path.length === 0 ? 'it' : path.join('.')}: ${message}`).join('; ');
}
