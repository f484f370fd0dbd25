import { Database } from '../../activities/stores/postgres/database.ts';
import { ownSettings } from './own-settings.ts';

/** Works with the ledger of all tenants, and closes it. */
export async function withLedger(work: (database: Database) => Promise<void>): Promise<void> {
  const { DATABASE_URL } = await ownSettings(['DATABASE_URL']);
  const database = new Database(DATABASE_URL, 'hapax_upkeep', 1);
  try {
    await work(database);
  } finally {
    await database.close();
  }
}
