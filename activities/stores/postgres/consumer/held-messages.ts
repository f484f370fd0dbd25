import type { Environment } from '../../../../workflows/operation/key.ts';
import type { Database, Statement } from '../database.ts';
import { type Claimer, lifetimeOf } from './claim-messages.ts';
import type { Kept } from './hold-message.ts';
import type { MessageKey } from './message-key.ts';

/** A kept message that is due, leased to one process. */
export type DueMessage = {
  readonly id: string;
  readonly fence: bigint;
  /** This one included. */
  readonly tries: number;
  readonly consumer: string;
  readonly key: MessageKey;
  readonly subject: string;
  /** Null where it was too large to be kept. */
  readonly body: Buffer | null;
  /** It goes on without what is missing before it. */
  readonly overGap: boolean;
};

const take = `
select id, fence, tries, tenant, environment, consumer, source, message, subject, body, over_gap from take_consumed($1, $2, $3)`;

/** @param lease how long nobody else takes what this takes. Milliseconds */
export async function takeDueMessages(
  database: Database,
  consumers: readonly string[],
  atMost: number,
  lease: number,
): Promise<readonly DueMessage[]> {
  const rows = await database.alone({ name: 'take_consumed', text: take, values: [consumers, atMost, lease] });
  return rows.map((row) => ({
    id: row.id as string,
    fence: BigInt(row.fence as string),
    tries: row.tries as number,
    consumer: row.consumer as string,
    key: {
      tenant: row.tenant as string,
      environment: row.environment as Environment,
      source: row.source as string,
      message: row.message as string,
    },
    subject: row.subject as string,
    body: row.body as Buffer | null,
    overGap: row.over_gap as boolean,
  }));
}

const held = `select id from consumed where id = $1 and fence = $2 and state = 'due' for update`;

/** Locks the row for its effect. It gives no row where another process has it. */
export function lockHeld({ id, fence }: DueMessage): Statement {
  return { name: 'lock_held_message', text: held, values: [id, fence] };
}

const done = `
update consumed set state = $3, body = null, code = null, detail = null, changed_at = now(),
  forget_after = coalesce(now() + $4 * interval '1 millisecond', 'infinity')
where id = $1 and fence = $2 and state = 'due'`;

/** Committed together with the effect. */
export function endHeld(claimer: Claimer, { id, fence }: DueMessage, became: 'done' | 'stale'): Statement {
  return { name: 'end_held_message', text: done, values: [id, fence, became, lifetimeOf(claimer)] };
}

const keep = `
update consumed set state = $3, code = $4, detail = $5, changed_at = now(), next_at = now() + $6 * interval '1 millisecond',
  type = coalesce(type, $7), aggregate = coalesce(aggregate, $8), sequence = coalesce(sequence, $9)
where id = $1 and fence = $2 and state = 'due'`;

/** Keeps it on, unless another process has it. What could not be read before may have told its place by now. */
export function keepHeld(
  { id, fence }: DueMessage,
  kept: Kept,
  read: { readonly type: string | null; readonly aggregate: string | null; readonly sequence: number | null },
): Statement {
  const [code, detail] = kept.state === 'waiting' ? [null, null] : [kept.why.code, kept.why.detail];
  const next = kept.state === 'waiting' ? kept.patience : kept.state === 'due' ? kept.pause : 0;
  const values = [id, fence, kept.state, code, detail, next, read.type, read.aggregate, read.sequence];
  return { name: 'keep_held_message', text: keep, values };
}
