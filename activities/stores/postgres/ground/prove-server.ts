import type { Database, Statement } from '../database.ts';
import { groundFaultOf, type Proof, requireGround } from './proof.ts';

/** Checks that an acknowledged commit is on the disk, by the settings that decide it, as far as they can be read. */
const text = `
select pg_catalog.pg_is_in_recovery() as standby,
       coalesce((select pg_catalog.json_object_agg(name, setting) from pg_catalog.pg_settings
                 where name in ('fsync', 'full_page_writes', 'synchronous_commit')), '{}') as settings`;

export const durability: Statement = { name: '', text, values: [] };

const wanted = ['fsync', 'full_page_writes', 'synchronous_commit'];
/** `local` does not wait for a standby: after a failover, accepted commits would be missing. */
const unsafe = new Set(['off', 'local']);

export type Durability = { readonly standby: boolean; readonly settings: Readonly<Record<string, string>> };

export function durabilityProofs({ standby, settings }: Durability): readonly Proof[] {
  const wrong = Object.entries(settings).filter(([, setting]) => unsafe.has(setting));
  const unread = wanted.filter((name) => settings[name] === undefined);
  const durable: Proof =
    wrong.length > 0
      ? {
          name: 'durability',
          state: 'failed',
          says: `${wrong.map(([name, setting]) => `${name} is ${setting}`).join(', ')}: set it to on, or a crash forgets what was accepted.`,
        }
      : unread.length > 0
        ? {
            name: 'durability',
            state: 'degraded',
            says: `${unread.join(', ')} cannot be read here: ask whoever runs the server that a commit is on the disk before it is acknowledged.`,
          }
        : { name: 'durability', state: 'holds', says: `${wanted.join(', ')} are on.` };
  const primary: Proof = standby
    ? { name: 'primary', state: 'failed', says: 'the server is a standby: give the address of the primary.' }
    : { name: 'primary', state: 'holds', says: 'The server is the primary.' };
  return [durable, primary];
}

/** A connection may be slow at a start on a busy machine, and no caller waits for it yet. */
const tries = 3;

/**
 * Proves at each start what the ledger depends on: two connections and the server behind them. It writes nothing.
 * @throws LedgerFault `unavailable`; if the ground does not hold, its cause is a GroundFault
 */
export async function proveServer(database: Database): Promise<readonly Proof[]> {
  await patiently(() => database.proveTwo());
  const [row] = await database.alone(durability);
  return requireGround(durabilityProofs(row as Durability));
}

async function patiently<T>(prove: () => Promise<T>, left = tries): Promise<T> {
  try {
    return await prove();
  } catch (error) {
    if (left === 1 || groundFaultOf(error) !== undefined) throw error;
    return await patiently(prove, left - 1);
  }
}
