import { LedgerFault } from '../../activities/stores/postgres/ledger-fault.ts';
import type { World } from './world.ts';

/**
 * Asks again what may be asked again, for as long as the ledger is away: a connection may take longer than its second while workers
 * start in the same process.
 */
export async function whenLedgerIsThere<T>(world: World, what: string, ask: () => Promise<T>): Promise<T> {
  const { told } = await world.until(what, async () => {
    try {
      return { told: await ask() };
    } catch (error) {
      if (error instanceof LedgerFault && error.code === 'unavailable') return false;
      throw error;
    }
  });
  return told;
}
