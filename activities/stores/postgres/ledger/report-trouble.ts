import type { Finished, Hold } from '../../../../workflows/operation/call.ts';
import type { Database } from '../database.ts';
import { enter, type Entering } from './enter.ts';

/** What a failed try has met. */
type Met = {
  readonly step: string;
  readonly undoing: boolean;
  /** In a person's words. */
  readonly says: string;
  /** From now until the next try, in milliseconds; null where upkeep makes it, with another run. */
  readonly nextTry: number | null;
  /** From the first failed try until a person is asked for, in milliseconds. */
  readonly personAfter: number;
  /** The step where its own transaction was rolled back, and with it what it carried. */
  readonly entering: Extract<Entering, { kind: 'step' | 'record' }>;
  /** Steps that have ended before: they are not to be taken for steps in doubt because this one fails. */
  readonly carry: readonly Finished[];
};

/** Another step's trouble is over when this one has some. */
const text = `
insert into trouble as t (operation_id, tenant, flow, step, undoing, says, next_try_at, needs_person_at)
select id, tenant, flow, $2, $3, $4, coalesce(now() + $5 * interval '1 millisecond', next_look_at),
  now() + $6 * interval '1 millisecond'
from operation where id = $1
on conflict (operation_id) do update
set step = excluded.step, undoing = excluded.undoing, says = excluded.says, next_try_at = excluded.next_try_at,
    since = case when (t.step, t.undoing) = (excluded.step, excluded.undoing) then t.since else now() end,
    tries = case when (t.step, t.undoing) = (excluded.step, excluded.undoing) then t.tries + 1 else 1 end,
    needs_person_at = case when (t.step, t.undoing) = (excluded.step, excluded.undoing)
      then least(t.needs_person_at, excluded.needs_person_at) else excluded.needs_person_at end
returning tries`;

/**
 * Remembers a failed try.
 * @returns how many have failed in a row
 * @throws LedgerFault `fenced` and its like where this run has nothing to say any more
 */
export async function reportTrouble(database: Database, held: Hold, met: Met): Promise<number> {
  const { step, undoing, says, nextTry, personAfter, entering, carry } = met;
  const { id, tenant } = held.operation;
  const values = [id, step, undoing, says, nextTry, personAfter];
  const report = { name: 'report_trouble', text, values };
  const rows = await database.flush(tenant, ...enter(held, entering, carry), report);
  return Number(rows.at(-1)?.[0]?.tries);
}
