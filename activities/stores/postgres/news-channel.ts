import pg from 'pg';
import type { Database } from './database.ts';

/** @returns the channel on which doors learn that an operation has settled; a secret of those who may read the ledger */
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

/** Sends a token to everyone who listens, the sender included: where it does not arrive there, no news does. */
export async function sendProbe(database: Database, channel: string, token: string): Promise<void> {
  await database.alone({
    name: '',
    text: `select pg_catalog.pg_notify(${pg.escapeLiteral(channel)}, ${pg.escapeLiteral(token)})`,
    values: [],
  });
}
