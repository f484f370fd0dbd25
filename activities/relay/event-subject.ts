import { createHash } from 'node:crypto';
import type { OutboxEvent } from '../stores/postgres/outbox/due-events.ts';

/** A server takes a subject of 4 KiB with all the rest of a line (`max_control_line`). Four such tokens fit well. */
const longestToken = 200;

/**
 * The subject of NATS on which an event is published: `hapax.{tenant}.{environment}.{aggregate type}.{aggregate id}`. All events of an
 * aggregate share it, so the newest message of a subject is the newest event of its aggregate.
 */
export function eventSubject({ tenant, environment, aggregateType, aggregate }: OutboxEvent): string {
  return ['hapax', ...[tenant, environment, aggregateType, aggregate].map(token)].join('.');
}

/** Dots part tokens, `*` and `>` are wildcards, and white space ends a subject: all but letters, digits, `-` and `_` is encoded. */
function token(text: string): string {
  const encoded = [...Buffer.from(text, 'utf8')]
    .map((byte) => {
      const character = String.fromCharCode(byte);
      return /[\w-]/.test(character) ? character : `%${byte.toString(16).padStart(2, '0')}`;
    })
    .join('');
  if (encoded === '') return '%';
  if (encoded.length <= longestToken) return encoded;
  return `%%${createHash('sha256').update(text).digest('hex')}`;
}
