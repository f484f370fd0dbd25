import pg from 'pg';
import { seconds } from '../../../workflows/operation/duration.ts';
import { proveConnection } from './ground/prove-connection.ts';
import { sessionOptions } from './ground/session.ts';
import { refusedConnection } from './ledger-fault.ts';

/** Longer than a connection of the pool may take, since no caller waits for this one. */
const connectTimeout = seconds(5);

/**
 * One connection for LISTEN, proved like those of the pool.
 * @param prepare gets the client before it connects, so that it misses no event
 * @throws LedgerFault `unavailable`
 */
export async function connectListener(url: string, prepare: (client: pg.Client) => void): Promise<pg.Client> {
  const client = new pg.Client({
    connectionString: url,
    options: sessionOptions('hapax_app'),
    application_name: 'hapax news',
    connectionTimeoutMillis: connectTimeout,
    keepAlive: true,
  });
  prepare(client);
  try {
    await client.connect();
    await proveConnection(client, 'hapax_app');
    return client;
  } catch (error) {
    client.end().catch(() => undefined);
    throw refusedConnection(error);
  }
}
