import type { Proof } from './proof.ts';

/**
 * Two open connections never share one process of PostgreSQL, unless a pooler moves its sessions from transaction to
 * transaction. Prepared statements would then be on another session, and one caller's settings would reach another.
 * @param others the processes behind the open connections
 */
export function ownSession(backend: number, others: readonly number[]): Proof {
  const shared = others.includes(backend);
  return {
    name: 'own-session',
    state: shared ? 'failed' : 'holds',
    says: shared
      ? 'two connections were given one session of PostgreSQL, as by a pooler in transaction mode: prepared statements, LISTEN and settings would be lost. Connect directly, or set pool_mode = session.'
      : 'Each connection has a session of PostgreSQL of its own.',
  };
}
