import type { Database } from '../database.ts';

/** This ledger, as it knows itself. */
export type LedgerMark = {
  readonly id: string;
  /** What was written before is not explained by it. */
  readonly bornAt: Date;
  /** Grows every few minutes. */
  readonly beats: number;
  /** The server and its timeline, when it was last accepted, and now; null where the server does not tell. */
  readonly server: string | null;
  readonly serverNow: string | null;
};

const columns = `id, born_at, beats, server, server_identity() as server_now`;
const read = `select ${columns} from ledger`;
const beat = `
update ledger set beats = beats + 1, server = coalesce(server, server_identity()) returning ${columns}`;
const accept = `update ledger set beats = greatest(beats, $1) + 1, server = server_identity() returning ${columns}`;

export async function readLedger(database: Database): Promise<LedgerMark> {
  return await mark(database, 'read_ledger', read, []);
}

export async function beatLedger(database: Database): Promise<LedgerMark> {
  return await mark(database, 'beat_ledger', beat, []);
}

/** @param above what its bucket remembers */
export async function acceptLedger(database: Database, above: number): Promise<LedgerMark> {
  return await mark(database, 'accept_ledger', accept, [above]);
}

/** @returns whether any file was ever placed */
export async function hasContents(database: Database): Promise<boolean> {
  const [rows = []] = await database.flush(null, {
    name: 'has_contents',
    text: 'select from content limit 1',
    values: [],
  });
  return rows.length > 0;
}

async function mark(database: Database, name: string, text: string, values: readonly unknown[]): Promise<LedgerMark> {
  const [rows] = await database.flush(null, { name, text, values });
  const row = rows?.[0];
  if (row === undefined) throw new Error('The table `ledger` has lost its row: restore it from a backup');
  return {
    id: row.id as string,
    bornAt: row.born_at as Date,
    beats: Number(row.beats),
    server: row.server as string | null,
    serverNow: row.server_now as string | null,
  };
}
