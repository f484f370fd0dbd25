import type { Proof } from './proof.ts';

/** The first version with `transaction_timeout`, as `server_version_num` counts. */
const oldestServer = 170_000;

/** What a server says of itself. Every server that speaks PostgreSQL's protocol answers this. */
export const selfDescription = `
select pg_catalog.version() as version, pg_catalog.current_setting('server_version') as reported,
       pg_catalog.current_setting('server_version_num') as number`;

/**
 * Columns to select that only PostgreSQL itself can answer: rows that know the transaction that wrote them (the claim
 * depends on it), snapshots, and a view that came with PostgreSQL 17. Imitations report a version and lack these.
 */
export const nature = `
  (select c.xmin is not null and c.ctid is not null from pg_catalog.pg_class c limit 1)
    and pg_catalog.pg_current_snapshot() is not null as keeps_versions,
  pg_catalog.to_regclass('pg_catalog.pg_wait_events') is not null as knows_seventeen`;

export type Described = { readonly version: string; readonly reported: string; readonly number: string };
export type Nature = { readonly keeps_versions: boolean | null; readonly knows_seventeen: boolean | null };

/** @param found what the server answered to `nature`; the error's text if it does not know what was asked */
export function serverProof({ version, reported, number }: Described, found: Nature | string): Proof {
  const is = version.replace(/ on .*/s, '').slice(0, 100);
  const failed = (says: string): Proof => ({ name: 'server', state: 'failed', says });
  if (Number(number) < oldestServer) return failed(`it is PostgreSQL ${reported}: take version 17 or a later one.`);
  if (!/^(PostgreSQL|EnterpriseDB) (?!.*\b(YB|CockroachDB)\b)/.test(version))
    return failed(`it reports version ${reported} but is ${is}: take PostgreSQL itself, version 17 or later.`);
  if (typeof found === 'string')
    return failed(
      `it reports version ${reported} but does not answer as PostgreSQL does (${found}): take PostgreSQL itself, version 17 or later.`,
    );
  if (found.keeps_versions !== true || found.knows_seventeen !== true)
    return failed(
      `it reports version ${reported} but lacks what PostgreSQL 17 has: take PostgreSQL itself, version 17 or later.`,
    );
  return { name: 'server', state: 'holds', says: `${is}, by its catalog and by what its rows carry.` };
}
