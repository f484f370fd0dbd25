import type { ClientBase } from 'pg';
import { seconds } from '../../../../workflows/operation/duration.ts';
import { GroundFault, type Proof, requireGround } from './proof.ts';
import { type Described, type Nature, nature, selfDescription, serverProof } from './server-proof.ts';
import { type Role, timeLimits } from './session.ts';

/** The proof itself takes a millisecond. This is as long as a connection may take. Milliseconds. */
const within = seconds(1);

type Session = Nature & {
  readonly role: string;
  readonly login: string;
  readonly tables: number;
  readonly unprotected: readonly string[];
  readonly isolation: string;
  readonly in_schema: boolean | null;
  readonly limits: Readonly<Record<string, number>>;
  readonly backend: number;
};

const limits = Object.keys(timeLimits)
  .map(
    (name) =>
      `'${name}', extract(epoch from coalesce(pg_catalog.current_setting('${name}', true), '0')::interval) * 1000`,
  )
  .join(', ');

/** It names its schemas itself, since the search path may be what is wrong. */
const session = `
select current_user::text as role, session_user::text as login, ledger.tables, ledger.unprotected,
       pg_catalog.current_setting('transaction_isolation') as isolation,
       pg_catalog.to_regclass('operation') = pg_catalog.to_regclass('hapax.operation') as in_schema,
       pg_catalog.json_build_object(${limits}) as limits,
       pg_catalog.pg_backend_pid() as backend,
       ${nature}
from (select count(*)::int as tables,
             coalesce(json_agg(c.relname order by c.relname) filter (where not pg_catalog.row_security_active(c.oid)), '[]')
               as unprotected
      from pg_catalog.pg_class c join pg_catalog.pg_namespace n on n.oid = c.relnamespace
      where n.nspname = 'hapax' and c.relkind in ('r', 'p')) ledger`;

/** What a connection was found to be. `backend` is PostgreSQL's own process behind it, even through a pooler. */
type ProvedConnection = { readonly proofs: readonly Proof[]; readonly backend: number };

/**
 * Proves in one round trip that a new connection is what the ledger's statements expect. A pooler may give each
 * connection another session, so the last proof says nothing about the next one.
 * @throws GroundFault which names everything that does not hold
 */
export async function proveConnection(client: ClientBase, role: Role): Promise<ProvedConnection> {
  const ask = async <T>(text: string): Promise<T> => {
    const { rows } = await client.query({ text, query_timeout: within } as { text: string });
    return rows[0] as T;
  };
  const [described, found] = await Promise.allSettled([ask<Described>(selfDescription), ask<Session>(session)]);
  if (described.status === 'rejected') throw described.reason;
  if (found.status === 'rejected') {
    const { code, message } = found.reason as { code?: string; message: string };
    // An error that is no answer of PostgreSQL, such as a broken line, says nothing about the server.
    if (code === undefined || !/^(0A|22|42|XX)/.test(code)) throw found.reason;
    throw new GroundFault([serverProof(described.value, message)], { cause: found.reason });
  }
  const proofs = [serverProof(described.value, found.value), ...sessionProofs(found.value, role)];
  return { proofs: requireGround(proofs), backend: found.value.backend };
}

const mend =
  'The start-up parameter `options` sets it and did not arrive, as where a pooler ignores it: connect directly, or as docs/production.md says of poolers.';

function sessionProofs(found: Session, role: Role): Proof[] {
  const proofs: Proof[] = [];
  const prove = (name: string, holds: boolean, well: string, fault: string): void => {
    proofs.push({ name, state: holds ? 'holds' : 'failed', says: holds ? well : fault });
  };
  const meant = role === 'hapax_owner' ? found.login : role;
  const { login, tables, unprotected, isolation } = found;
  const asOwner = `as ${found.role}${found.role === login ? ', its login,' : ''}`;
  prove('role', found.role === meant, `Acts as ${meant}.`, `it acts ${asOwner} and not as ${meant}. ${mend}`);
  if (role !== 'hapax_owner') {
    const open = unprotected.slice(0, 3).join(', ');
    prove('schema', tables > 0, `The ledger has ${tables} tables.`, 'the ledger has no tables: run `npm run migrate`.');
    // Without a ledger there is nothing else to prove.
    if (tables === 0) return proofs;
    prove(
      'row-security',
      unprotected.length === 0,
      `Row security is active on all ${tables} tables of the ledger.`,
      `row security is off for ${found.role} on ${unprotected.length} of ${tables} tables (${open}): it would see every tenant's rows. Neither this role nor the login may be a superuser or have BYPASSRLS, and each table forces row security.`,
    );
  }
  prove(
    'search-path',
    found.in_schema === true,
    'Names without a schema are those of hapax.',
    `names without a schema are not those of hapax. ${mend}`,
  );
  prove(
    'isolation',
    isolation === 'read committed',
    'Transactions are read committed.',
    `transactions are ${isolation}: set default_transaction_isolation to 'read committed' for this database and login.`,
  );
  const loose = Object.entries(timeLimits).filter(([name, most]) => !inForce(found.limits[name] ?? 0, most));
  prove(
    'time-limits',
    loose.length === 0,
    'The limits of statements and transactions are in force.',
    `${loose.map(([name, most]) => `${name} is ${found.limits[name] ?? 0} ms and not ${most} ms`).join(', ')}. ${mend}`,
  );
  return proofs;
}

/** To PostgreSQL 0 means no limit. A shorter limit is somebody's choice. */
function inForce(actual: number, most: number): boolean {
  return actual > 0 && actual <= most;
}
