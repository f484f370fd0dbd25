/** `hapax_owner` means the login itself, which owns the schema. */
export type Role = 'hapax_owner' | 'hapax_app' | 'hapax_upkeep';

/** Longer than any statement of the ledger, shorter than a caller's patience. Milliseconds, like the others here. */
export const statementTimeout = 5_000;

/**
 * A frozen process keeps its locks until PostgreSQL ends its session, and other carts with the same item wait for it.
 * This is shorter than the statement timeout, so that those who wait outlast it.
 */
const idleInTransaction = 3_000;

/** A frozen server, or a network that loses everything, does not answer at all. Our own clock then ends the wait. */
export const silence = statementTimeout + 1_000;

/**
 * If the end of a message is lost with the network, PostgreSQL waits for it inside a transaction, and none of its
 * other clocks runs. This one ends after ours, so that a waiting caller gets an answer first.
 */
const transactionTimeout = silence + 2_000;

/** The time limits of our sessions, as PostgreSQL enforces them. */
export const timeLimits = {
  statement_timeout: statementTimeout,
  idle_in_transaction_session_timeout: idleInTransaction,
  transaction_timeout: transactionTimeout,
} as const;

/** The settings that a session of the ledger has from its first statement on. */
export function sessionSettings(role: Role): Readonly<Record<string, string | number>> {
  return {
    ...(role === 'hapax_owner' ? {} : { role }),
    search_path: 'hapax',
    ...timeLimits,
    plan_cache_mode: 'force_generic_plan',
  };
}

/** The same as the start-up parameter `options`. */
export function sessionOptions(role: Role): string {
  return Object.entries(sessionSettings(role))
    .map(([name, value]) => `-c ${name}=${value}`)
    .join(' ');
}
