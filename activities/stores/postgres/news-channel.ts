import pg from 'pg';
import type { Database } from './database.ts';

/**
 * @returns the channel that tells HTTP processes which operations have settled; only those who may read the ledger
 *   know it
 */
export async function newsChannel(database: Database): Promise<string> {
  const [rows] = await database.flush(null, {
    name: 'news_channel',
    text: 'select name from news_channel',
    values: [],
  });
  const name = rows?.[0]?.name;
  if (typeof name !== 'string') throw new Error('The ledger has no news channel: migrate it (npm run migrate)');
  return name;
}

/** Sends a token to everyone who listens, the sender included. If the sender does not hear it, no news arrives. */
export async function sendProbe(database: Database, channel: string, token: string): Promise<void> {
  await database.alone({
    name: '',
    text: `select pg_catalog.pg_notify(${pg.escapeLiteral(channel)}, ${pg.escapeLiteral(token)})`,
    values: [],
  });
}
