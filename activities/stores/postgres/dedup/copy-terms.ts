import type { Database } from '../database.ts';

/** What copies of settled answers are bound to (0038_dedup.sql). */
type CopyTerms = {
  /** Signs copies. Only those who may read the ledger know it. */
  readonly secret: string;
  /** Grows when an answer changes or goes before its time. Copies of an earlier epoch are stale. */
  readonly epoch: number;
};

/** @throws LedgerFault `unavailable` */
export async function readCopyTerms(database: Database): Promise<CopyTerms> {
  const [row] = await database.alone({
    name: 'copy_terms',
    text: 'select secret, epoch from answer_copies',
    values: [],
  });
  if (row === undefined) throw new Error('The ledger has no terms of copied answers: migrate it (npm run migrate)');
  return { secret: row.secret as string, epoch: Number(row.epoch) };
}

/**
 * Raises the epoch, where it is lower.
 * @param least what it is to be at least
 * @returns what it is now
 * @throws LedgerFault `unavailable`
 */
export async function raiseEpoch(database: Database, least: number): Promise<number> {
  const [row] = await database.alone({
    name: 'raise_epoch',
    text: 'update answer_copies set epoch = greatest(epoch, $1) returning epoch',
    values: [least],
  });
  return Number(row?.epoch);
}
