import pg from 'pg';

/**
 * Counts what this process sends to PostgreSQL from now on, `begin` and `commit` included, whoever's pool it goes through.
 * @returns how many statements it has been so far
 */
export function sentStatements(): () => number {
  let sent = 0;
  const { prototype } = pg.Client as unknown as { prototype: { query: (...asked: unknown[]) => unknown } };
  const query = prototype.query;
  prototype.query = function counted(this: unknown, ...asked: unknown[]): unknown {
    // A text without parameters may hold several.
    sent += typeof asked[0] === 'string' ? asked[0].split(';').length : 1;
    return query.apply(this, asked);
  };
  return () => sent;
}
