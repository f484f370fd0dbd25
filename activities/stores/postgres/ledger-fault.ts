import { GroundFault, groundFaultOf } from './ground/proof.ts';

/** A refusal of the ledger, by the code that its constraints and functions raise. */
type LedgerFaultCode =
  /** Another run has taken the operation over. */
  | 'fenced'
  | 'settled'
  | 'cancel-requested'
  | 'missing'
  /** The step of no return was about to begin, but the flow's patience had ended. */
  | 'impatient'
  /** A first step cannot take this operation over: it takes a `take` of its own. */
  | 'held-before'
  /** The step has been done already; its result stands in its row. */
  | 'done'
  /** A named constraint was violated; see `constraint`. */
  | 'constraint'
  /** PostgreSQL is away, restarting, read-only or too slow. */
  | 'unavailable'
  /** A statement is wrong: a bug of ours. */
  | 'broken';

export class LedgerFault extends Error {
  override readonly name = 'LedgerFault';
  readonly code: LedgerFaultCode;
  readonly constraint: string | undefined;

  constructor(code: LedgerFaultCode, message: string, options: { cause?: unknown; constraint?: string } = {}) {
    super(message, { cause: options.cause });
    this.code = code;
    this.constraint = options.constraint;
  }
}

const raised: Readonly<Record<string, LedgerFaultCode>> = {
  HX001: 'fenced',
  HX002: 'settled',
  HX003: 'cancel-requested',
  HX004: 'missing',
  HX005: 'done',
  HX006: 'impatient',
  HX007: 'held-before',
};

/** Classes of SQLSTATE (PostgreSQL 18, appendix A) that pass when PostgreSQL has recovered. */
const passing = new Set(['08', '40', '53', '55', '57', '58']);
/**
 * `read_only_sql_transaction`: a standby answers, which can replay but not claim; the primary will be back.
 * `idle_in_transaction_session_timeout` and `transaction_timeout`: we were frozen or slow, and PostgreSQL has taken its
 * locks back.
 * `invalid_sql_statement_name` and `duplicate_prepared_statement`: a pooler has given our connection another session. The
 * statement did nothing, and the next connection is proved again.
 */
const passingToo = new Set(['25006', '25P03', '25P04', '26000', '42P05']);

/**
 * Refusals of a connection (PostgreSQL 18, appendix A) that waiting does not mend: no such login, database, role or
 * setting, or a pooler that does not take a start-up parameter.
 */
const refusing = /^(28|3D|22023|42)/;
const refusedParameter = /unsupported startup parameter/;

/** Translates what a new connection fails with. The code is `unavailable`; a fault of the ground is its cause. */
export function refusedConnection(error: unknown): LedgerFault {
  const { code = '', message } = error as { code?: string; message: string };
  const known = groundFaultOf(error);
  if (known !== undefined) return new LedgerFault('unavailable', known.message, { cause: known });
  if (!refusing.test(code) && !refusedParameter.test(message)) return ledgerFault(error);
  const mend = refusedParameter.test(message)
    ? 'A pooler stands in between that does not pass on how a session of the ledger begins: connect directly, or as docs/production.md says of poolers.'
    : 'See that DATABASE_URL names a login that may act as hapax_app and hapax_upkeep, and run `npm run migrate` on PostgreSQL 17 or later.';
  const fault = new GroundFault(
    [
      {
        name: 'connection',
        state: 'failed',
        says: `the session that the ledger needs is refused: ${message}. ${mend}`,
      },
    ],
    { cause: error },
  );
  return new LedgerFault('unavailable', fault.message, { cause: fault });
}

/** Whether PostgreSQL itself says what went wrong. Each SQLSTATE has a digit; the codes of sockets have none (`EPIPE`). */
export function hasSqlState(error: unknown): boolean {
  return /^(?=.*\d)[0-9A-Z]{5}$/.test((error as { readonly code?: string } | undefined)?.code ?? '');
}

/** Translates what pg throws. An error without an SQLSTATE comes from the socket: PostgreSQL is away. */
export function ledgerFault(error: unknown): LedgerFault {
  if (error instanceof LedgerFault) return error;
  const {
    code = '',
    message = String(error),
    constraint,
  } = error as {
    code?: string;
    message?: string;
    constraint?: string;
  };
  const own = raised[code];
  if (own !== undefined) return new LedgerFault(own, message, { cause: error });
  if (code.startsWith('23'))
    return new LedgerFault('constraint', message, {
      cause: error,
      ...(constraint === undefined ? {} : { constraint }),
    });
  if (!hasSqlState(error) || passingToo.has(code) || passing.has(code.slice(0, 2)))
    return new LedgerFault('unavailable', `PostgreSQL cannot be used now: ${message}`, { cause: error });
  return new LedgerFault('broken', message, { cause: error });
}
