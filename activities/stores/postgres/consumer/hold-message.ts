import type { Statement } from '../database.ts';
import { type Claimer, lifetimeOf } from './claim-messages.ts';
import type { MessageKey } from './message-key.ts';

/** Why a message is not done. */
export type Reason = { readonly code: string; readonly detail: string };

/** How a message is kept that was not done when it was delivered. Pauses and patience are milliseconds. */
export type Kept =
  | { readonly state: 'waiting'; readonly patience: number }
  | { readonly state: 'due'; readonly why: Reason; readonly pause: number }
  | { readonly state: 'dead'; readonly why: Reason };

/** A message that is kept in its row. */
export type HeldMessage = {
  readonly id: string;
  readonly key: MessageKey;
  readonly subject: string;
  /** Null where it is too large. */
  readonly body: Uint8Array | null;
  readonly type: string | null;
  readonly aggregate: string | null;
  readonly sequence: number | null;
  readonly operation: string | null;
  readonly cause: string | null;
};

/** A dead letter is kept for a year, and forgotten then. Milliseconds. */
const keepLetters = 360 * 24 * 60 * 60 * 1_000;

const hold = `
insert into consumed (tenant, environment, consumer, source, message, state, forget_after, id, subject, body, type, aggregate,
  sequence, operation_id, cause, tries, code, detail, next_at, received_at)
values (current_tenant(), $1, $2, $3, $4, $5, coalesce(now() + $6 * interval '1 millisecond', 'infinity'), $7, $8, $9, $10, $11,
  $12, $13, $14, $15, $16, $17, now() + $18 * interval '1 millisecond', now())
on conflict do nothing`;

/** Keeps a message in its row, unless it has one. Then the broker need not deliver it again. */
export function holdMessage(claimer: Claimer, held: HeldMessage, kept: Kept): Statement {
  const { environment, source, message } = held.key;
  const why = kept.state === 'waiting' ? { code: null, detail: null } : kept.why;
  return {
    name: 'hold_message',
    text: hold,
    values: [
      ...[environment, claimer.name, source, message, kept.state, keepFor(claimer)],
      ...[held.id, held.subject, held.body && Buffer.from(held.body), held.type, held.aggregate, held.sequence],
      ...[held.operation, held.cause, kept.state === 'waiting' ? 0 : 1, why.code, why.detail, untilNext(kept)],
    ],
  };
}

/** Not before the sender's last delivery, and not before a person has had the time to look. */
function keepFor(claimer: Claimer): number | null {
  const lifetime = lifetimeOf(claimer);
  return lifetime === null ? null : Math.max(lifetime, keepLetters);
}

function untilNext(kept: Kept): number {
  switch (kept.state) {
    case 'waiting':
      return kept.patience;
    case 'due':
      return kept.pause;
    case 'dead':
      return 0;
  }
}
