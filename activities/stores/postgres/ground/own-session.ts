import type { Proof } from './proof.ts';

/**
 * Two connections that stand at once never have one process of PostgreSQL behind them, unless a pooler hands its sessions
 * around from transaction to transaction: then statements that were prepared by name are on another session, and whatever
 * one caller sets another one gets.
 * @param others the processes behind the connections that stand
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
