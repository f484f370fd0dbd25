/** `hapax_owner` stands for the login itself, which owns the schema. */
export type Role = 'hapax_owner' | 'hapax_app' | 'hapax_upkeep';

/** Longer than any statement of the ledger, shorter than a caller's patience. Milliseconds, like the others here. */
export const statementTimeout = 5_000;

/**
 * A frozen process holds its locks until PostgreSQL ends its session: other carts with the same item would wait for it.
 * Shorter than the statement timeout, so that those who wait outlive it.
 */
const idleInTransaction = 3_000;

/** A frozen server or a network that loses everything says nothing at all: our own clock then ends the wait. */
export const silence = statementTimeout + 1_000;

/**
 * Where the end of a message is lost with the network, PostgreSQL waits for it inside a transaction, and no other of its
 * clocks runs. After ours, so that who still waits gets an answer.
 */
const transactionTimeout = silence + 2_000;

/** How long PostgreSQL lets a session of ours do one thing. */
export const timeLimits = {
  statement_timeout: statementTimeout,
  idle_in_transaction_session_timeout: idleInTransaction,
  transaction_timeout: transactionTimeout,
} as const;

/** What a session of the ledger has from its first statement on. */
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
