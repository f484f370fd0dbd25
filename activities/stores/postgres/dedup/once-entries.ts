import type { Database, Row, Statement } from '../database.ts';

/** What one use of `hapax/dedup` knows its ids by: another tenant or space has ids of its own. */
type OncePlace = { readonly tenant: string; readonly space: string };

type OnceClaim =
  | { readonly kind: 'ours'; readonly fence: string }
  /** @member left milliseconds for which the answer is kept */
  | { readonly kind: 'answered'; readonly answer: string; readonly left: number }
  | { readonly kind: 'taken' };

/** Takes an id for a time, or finds it answered or taken. A lease that has run out, and an answer too, count as free. */
export async function claimOnce(
  database: Database,
  { tenant, space }: OncePlace,
  id: string,
  lease: number,
): Promise<OnceClaim> {
  const [row] = await database.alone({
    name: 'claim_once',
    text: 'select decision, held_as, kept, left_ms from claim_once($1, $2, $3, $4)',
    values: [tenant, space, id, lease],
  });
  return claimedBy(row as Row);
}

/** Lengthens the lease, counted from now. @returns false where another has taken the id over */
export async function renewOnce(database: Database, place: OncePlace, held: Held, lease: number): Promise<boolean> {
  const set = `until = clock_timestamp() + $5 * interval '1 millisecond'`;
  return await written(database, place, {
    name: 'renew_once',
    text: `update once_entry set ${set} where ${ours} returning id`,
    values: [...naming(place, held), lease],
  });
}

/** Keeps the answer for its window. @returns false where another has taken the id over: then its answer counts */
export async function settleOnce(
  database: Database,
  place: OncePlace,
  held: Held,
  { answer, window }: { readonly answer: string; readonly window: number },
): Promise<boolean> {
  const set = `answer = $6, until = clock_timestamp() + $5 * interval '1 millisecond'`;
  return await written(database, place, {
    name: 'settle_once',
    text: `update once_entry set ${set} where ${ours} returning id`,
    values: [...naming(place, held), window, answer],
  });
}

/** Frees the id, so that the next call takes it. */
export async function releaseOnce(database: Database, place: OncePlace, held: Held): Promise<void> {
  await written(database, place, {
    name: 'release_once',
    text: `delete from once_entry where ${ours} returning id`,
    values: naming(place, held),
  });
}

/** The settled answer of an id, if one is kept. */
export async function lookOnce(
  database: Database,
  { tenant, space }: OncePlace,
  id: string,
): Promise<Extract<OnceClaim, { kind: 'answered' }> | undefined> {
  const text = `
select 'answered' as decision, answer as kept, extract(epoch from until - clock_timestamp()) * 1000 as left_ms
from once_entry
where tenant = $1 and space = $2 and id = $3 and answer is not null and until > clock_timestamp()`;
  const [rows] = await database.flush(tenant, { name: 'look_once', text, values: [tenant, space, id] });
  const row = rows?.[0];
  return row === undefined ? undefined : (claimedBy(row) as Extract<OnceClaim, { kind: 'answered' }>);
}

type Held = { readonly id: string; readonly fence: string };

/** A holder that was taken over has another fence. One whose lease has run out may go on where nobody has taken over. */
const ours = 'tenant = $1 and space = $2 and id = $3 and fence = $4 and answer is null';

function naming({ tenant, space }: OncePlace, { id, fence }: Held): readonly unknown[] {
  return [tenant, space, id, fence];
}

async function written(database: Database, { tenant }: OncePlace, statement: Statement): Promise<boolean> {
  const [rows] = await database.flush(tenant, statement);
  return rows?.length === 1;
}

function claimedBy(row: Row): OnceClaim {
  switch (row.decision as OnceClaim['kind']) {
    case 'ours':
      return { kind: 'ours', fence: String(row.held_as) };
    case 'answered':
      return { kind: 'answered', answer: row.kept as string, left: Number(row.left_ms) };
    case 'taken':
      return { kind: 'taken' };
  }
}
