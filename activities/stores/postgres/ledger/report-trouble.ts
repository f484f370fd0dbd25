import type { Finished, Hold } from '../../../../workflows/operation/call.ts';
import type { Database } from '../database.ts';
import { enter, type Entering } from './enter.ts';

/** Why a try failed. */
type Met = {
  readonly step: string;
  readonly undoing: boolean;
  /** A sentence for people. */
  readonly says: string;
  /** Milliseconds until the next try; null if upkeep makes it, with another run. */
  readonly nextTry: number | null;
  /** Milliseconds from the first failed try until a person is asked for. */
  readonly personAfter: number;
  /** The step whose own transaction was rolled back, together with the records that it carried. */
  readonly entering: Extract<Entering, { kind: 'step' | 'record' }>;
  /** Steps that have ended before. They must not look like steps in doubt because this one fails. */
  readonly carry: readonly Finished[];
};

/** Trouble of another step is over when this step has trouble. */
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
 * Records a failed try.
 * @returns how many have failed in a row
 * @throws LedgerFault `fenced` and the like if this run may no longer write
 */
export async function reportTrouble(database: Database, held: Hold, met: Met): Promise<number> {
  const { step, undoing, says, nextTry, personAfter, entering, carry } = met;
  const { id, tenant } = held.operation;
  const values = [id, step, undoing, says, nextTry, personAfter];
  const report = { name: 'report_trouble', text, values };
  const rows = await database.flush(tenant, ...enter(held, entering, carry), report);
  return Number(rows.at(-1)?.[0]?.tries);
}
