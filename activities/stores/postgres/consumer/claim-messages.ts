import type { Row, Statement } from '../database.ts';
import { inTenant, type MessageKey } from './message-key.ts';

/**
 * In the order of their names, so that two overlapping batches wait for each other and never both ways. Who waits sees what the
 * other one has committed, and leaves it.
 */
const record = `
insert into consumed (tenant, environment, consumer, source, message, forget_after)
select current_tenant(), m.environment, $1, m.source, m.message, coalesce(now() + $2 * interval '1 millisecond', 'infinity')
from unnest($3::text[], $4::text[], $5::text[]) m (environment, source, message)
order by m.environment, m.source, m.message`;
const claim = `${record}
on conflict do nothing
returning environment, source, message`;

/** What a consumer declares of its claims. */
export type Claimer = {
  readonly name: string;
  /** For how long a claim is kept. Milliseconds. */
  readonly window: number | 'forever';
};

/** Claims the messages of one tenant that nobody has claimed. The claim is committed with their effects. */
export function claimMessages(claimer: Claimer, keys: readonly MessageKey[]): Statement {
  return { name: 'claim_messages', text: claim, values: values(claimer, keys) };
}

/** Records messages that were not known. One that is, by now, takes everything back. */
export function recordMessages(claimer: Claimer, keys: readonly MessageKey[]): Statement {
  return { name: 'record_messages', text: record, values: values(claimer, keys) };
}

function values(claimer: Claimer, keys: readonly MessageKey[]): unknown[] {
  const columns = (['environment', 'source', 'message'] as const).map((part) => keys.map((key) => key[part]));
  return [claimer.name, lifetimeOf(claimer), ...columns];
}

/** @returns the names of the messages that were claimed now */
export function claimed(rows: readonly Row[]): ReadonlySet<string> {
  return new Set(rows.map((row) => inTenant(row as unknown as MessageKey)));
}

/** Null for what is never forgotten. Milliseconds. */
export function lifetimeOf({ window }: Pick<Claimer, 'window'>): number | null {
  return window === 'forever' ? null : window;
}
