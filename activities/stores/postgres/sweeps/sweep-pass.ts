import type { Database, Row } from '../database.ts';

/** Who began a pass: upkeep, or a person. */
export type BegunBy = 'schedule' | 'command';

/** What was found on a page, and what has become of it. Sizes in bytes. */
export type Counts = {
  readonly lookedAt: number;
  readonly removed: number;
  /** Of what was removed. */
  readonly bytes: number;
  /** Rows whose objects are missing. */
  readonly lost: number;
  /** Under our prefixes, and not ours. */
  readonly notOurs: number;
  readonly failed: number;
  /** Bytes of uploads that rows explain. */
  readonly storedBytes: number;
  readonly derivedBytes: number;
  /** Bytes that no row explains, whether they are old enough to be removed or not. */
  readonly unexplainedBytes: number;
  /** Bytes as the rows know them: of each file for itself, and of the contents that they share. */
  readonly fileBytes: number;
  readonly contentBytes: number;
};

export const nothing: Counts = {
  ...{ lookedAt: 0, removed: 0, bytes: 0, lost: 0, notOurs: 0, failed: 0 },
  ...{ storedBytes: 0, derivedBytes: 0, unexplainedBytes: 0, fileBytes: 0, contentBytes: 0 },
};

/** A comparison of the bucket with the rows, and where it stands. */
export type SweepPass = {
  readonly id: string;
  readonly beganAt: Date;
  readonly beganBy: BegunBy;
  readonly endedAt: Date | null;
  /** '' before the first. */
  readonly stage: string;
  readonly after: string;
  /** Why nothing was removed. */
  readonly heldBack: string | null;
  readonly counts: Counts;
};

const members = {
  ...({ lookedAt: 'looked_at', removed: 'removed', bytes: 'bytes', lost: 'lost', notOurs: 'not_ours' } as const),
  ...({ failed: 'failed', storedBytes: 'stored_bytes', derivedBytes: 'derived_bytes' } as const),
  ...({ unexplainedBytes: 'unexplained_bytes', fileBytes: 'file_bytes', contentBytes: 'content_bytes' } as const),
} as const satisfies Record<keyof Counts, string>;
const names = Object.keys(members) as (keyof Counts)[];

const take = 'select * from take_sweep($1, $2, $3, $4, $5)';
const added = names.map((name, n) => `${members[name]} = ${members[name]} + $${n + 7}`).join(', ');
const advance = `
update sweep_pass set stage = $3, after = $4, held_back = $5, leased_until = now() + $6 * interval '1 ms', ${added}
where id = $1 and holder = $2 and ended_at is null returning id`;
const letGo = 'update sweep_pass set leased_until = now() where id = $1 and holder = $2 and ended_at is null';
const end = `update sweep_pass set ended_at = now() where id = $1 and holder = $2 and ended_at is null returning *`;
/** Passes of a month are looked at; older ones are of no use. */
const forget = `delete from sweep_pass where ended_at < now() - interval '90 days'`;

/**
 * @param anew whether it begins at the beginning, even where one stands open
 * @param every from the beginning of one to that of the next, in milliseconds
 * @param lease for how long nobody else takes it up, in milliseconds
 * @returns undefined where none is due, or another process has it
 */
export async function takeSweep(
  database: Database,
  holder: string,
  how: { readonly anew: boolean; readonly by: BegunBy; readonly every: number; readonly lease: number },
): Promise<SweepPass | undefined> {
  const values = [how.anew, how.by, holder, how.every, how.lease];
  const [rows] = await database.flush(null, { name: 'take_sweep', text: take, values });
  return rows?.[0] && passOf(rows[0]);
}

/** @returns false where another process has taken it over meanwhile */
export async function advanceSweep(
  database: Database,
  holder: string,
  pass: Pick<SweepPass, 'id' | 'stage' | 'after' | 'heldBack'>,
  more: Counts,
  lease: number,
): Promise<boolean> {
  const { id, stage, after, heldBack } = pass;
  const values = [id, holder, stage, after, heldBack, lease, ...names.map((name) => more[name])];
  const [rows] = await database.flush(null, { name: 'advance_sweep', text: advance, values });
  return rows?.length === 1;
}

/** Releases the lease, so that another process may continue the pass. */
export async function letGoSweep(database: Database, holder: string, id: string): Promise<void> {
  await database.flush(null, { name: 'let_go_sweep', text: letGo, values: [id, holder] });
}

export async function endSweep(database: Database, holder: string, id: string): Promise<SweepPass | undefined> {
  const [rows] = await database.flush(
    null,
    { name: 'end_sweep', text: end, values: [id, holder] },
    { name: 'forget_sweeps', text: forget, values: [] },
  );
  return rows?.[0] && passOf(rows[0]);
}

function passOf(row: Row): SweepPass {
  return {
    id: String(row.id),
    beganAt: row.began_at as Date,
    beganBy: row.began_by as BegunBy,
    endedAt: row.ended_at as Date | null,
    stage: row.stage as string,
    after: row.after as string,
    heldBack: row.held_back as string | null,
    counts: Object.fromEntries(names.map((name) => [name, Number(row[members[name]])])) as unknown as Counts,
  };
}
