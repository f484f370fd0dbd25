/**
 * The one failure table. Retry policy, HTTP answer, advice to the person and the docs pages derive from it. The engine's own
 * rows stand here; a flow adds its rows with its declaration.
 * Across Temporal's boundary a failure is known by its code alone, never by its class.
 */

export type Action = 'wait' | 'retry' | 'change_payment_method' | 'fix_request' | 'contact_support';

/**
 * What was wrong with bytes, in one word. `assembly`: pieces that had come are not there any more. `protocol`: the sender
 * has misused its protocol, for instance with an offset that is not the next one. `proxy`: the bytes are not those of
 * their digest, and a proxy that names itself has passed them on.
 */
export type IntegrityCause = 'size' | 'part-checksum' | 'whole-hash' | 'type' | 'assembly' | 'protocol' | 'proxy';

type Failure = {
  readonly status: number;
  readonly title: string;
  /** May the same request succeed later without being changed? */
  readonly retryable: boolean;
  /** May the same key be used for the next try? */
  readonly sameKeySafe: boolean;
  readonly action: Action;
  /** Told with Retry-After where waiting helps. Seconds. */
  readonly retryAfter?: number;
  /** What is wrong with the bytes, if something is. */
  readonly cause?: IntegrityCause;
  /** A settled failure is kept and replayed, unless it only says that the moment was wrong: then the key may run anew. */
  readonly stored?: false;
};

/** Change the request, and send it with the same key. */
export const fix = { retryable: false, sameKeySafe: true, action: 'fix_request' } as const;
/** Send the same request again, with the same key, after a while. */
export const wait = { retryable: true, sameKeySafe: true, action: 'wait' } as const;
/** Change the request, and send it with a new key. */
export const newKey = { retryable: false, sameKeySafe: false, action: 'fix_request' } as const;
/** A person has to look at it. */
export const support = { retryable: false, sameKeySafe: false, action: 'contact_support' } as const;
/** The way on where a flow lets the key begin anew after such an end, whatever the code says of other flows. */
const anew = { retryable: true, sameKeySafe: true, action: 'retry' } as const;

const enginesOwn = {
  // Before the claim: nothing is stored and the key is not consumed.
  'http-malformed': { status: 400, title: 'The request is not valid HTTP', ...fix },
  'body-malformed': { status: 400, title: 'The body cannot be taken as JSON', ...fix },
  'request-invalid': { status: 400, title: 'The request does not fit its schema', ...fix },
  'key-missing': { status: 400, title: 'An Idempotency-Key is required', ...fix },
  'key-malformed': { status: 400, title: 'The Idempotency-Key is malformed', ...fix },
  'key-personal': { status: 400, title: 'The Idempotency-Key looks like personal data', ...fix },
  unauthenticated: { status: 401, title: 'A valid token is required', ...fix },
  forbidden: { status: 403, title: 'This token may not do that', ...fix },
  'not-found': { status: 404, title: 'There is nothing here', ...fix },
  'method-not-allowed': { status: 405, title: 'This method is not allowed here', ...fix },
  'request-timeout': { status: 408, title: 'The request did not arrive in time', ...wait, action: 'retry' },
  'body-too-large': { status: 413, title: 'The body is too large', ...fix },
  'media-type-unsupported': { status: 415, title: 'This media type is not supported here', ...fix },
  'headers-too-large': { status: 431, title: 'The headers are too large', ...fix },
  'transfer-coding-unsupported': { status: 501, title: 'This transfer coding is not supported', ...fix },
  'too-many-requests': { status: 429, title: 'Too many requests', ...wait, retryAfter: 1 },
  'issuer-unavailable': { status: 503, title: 'The keys of the token issuer cannot be read', ...wait, retryAfter: 5 },
  'name-unanswered': { status: 503, title: 'The name in the address cannot be looked up now', ...wait, retryAfter: 5 },
  'too-many-endpoints': { status: 409, title: 'There are too many endpoints for webhooks', ...fix },
  'ledger-unavailable': { status: 503, title: 'The ledger cannot be reached', ...wait, retryAfter: 2 },
  overloaded: { status: 503, title: 'The service has more work than it can take', ...wait, retryAfter: 2 },
  internal: { status: 500, title: 'Something went wrong on our side', ...wait, retryAfter: 2 },

  // About what another system has told us.
  'signature-invalid': { status: 401, title: 'The signature of the event does not hold', ...fix },
  'environment-mismatch': { status: 422, title: 'The event is of the other environment', ...fix },
  'object-unknown': {
    status: 404,
    title: 'Nobody knows the object of the event',
    ...wait,
    retryAfter: 2,
    stored: false,
  },
  'handler-failed': { status: 500, title: 'What the event sets off has failed', ...wait, retryAfter: 2 },
  'not-a-dead-letter': { status: 409, title: 'This is not to be replayed', ...fix },

  // About a message that we send. They stand at dead letters.
  'recipient-unsound': { status: 422, title: 'The recipient is none that can be written to', ...fix },
  'message-refused': { status: 422, title: 'The recipient or the message was refused', ...fix },
  'subject-refused': { status: 502, title: 'The broker takes nothing on this subject', ...support },
  'message-unwritable': { status: 500, title: 'The message cannot be written', ...support },
  'delivery-failed': { status: 503, title: 'The message could not be delivered in time', ...wait, retryAfter: 2 },
  'endpoint-disabled': { status: 409, title: 'The endpoint of the webhook is disabled', ...fix },
  'delivery-in-doubt': { status: 409, title: 'Whether the message was delivered is not known', ...support },

  // About the key.
  'key-reused': { status: 422, title: 'This key names another request', ...newKey },
  'key-expired': { status: 409, title: 'The answer of this key has expired', ...newKey },
  erased: { status: 410, title: 'The data of this key were erased', ...newKey },
  'fingerprint-unknown': {
    status: 503,
    title: 'This process cannot compare the requests of this key',
    ...wait,
    retryAfter: 2,
  },
  'in-progress': { status: 409, title: 'The operation is still in progress', ...wait, retryAfter: 1 },
  'needs-person': {
    status: 409,
    title: 'The operation makes no progress, and a person has to look at it',
    retryable: true,
    sameKeySafe: true,
    action: 'contact_support',
    // Trying again more often helps nobody while people look.
    retryAfter: 60,
  },
  'operation-indeterminate': {
    status: 409,
    title: 'Whether an effect has happened is being found out',
    ...wait,
    retryAfter: 2,
  },

  // How an operation can end.
  cancelled: { status: 409, title: 'The operation was cancelled', ...newKey },
  expired: { status: 410, title: 'The operation expired before it was finished', ...newKey },
  compensated: { status: 409, title: 'The operation failed and was undone', ...newKey },
  'compensation-incomplete': {
    status: 500,
    title: 'The operation failed and could not be undone completely',
    ...support,
  },
  'step-failed': { status: 500, title: 'A step could not be finished', ...wait, retryAfter: 2 },
  // The answer of a cancel: asking for it again helps nothing, and the operation's own key still gets its outcome.
  'past-no-return': {
    status: 409,
    title: 'The operation is past the point where it can be cancelled',
    ...fix,
  },
  'not-in-doubt': { status: 409, title: 'The step is not in doubt', ...fix },
  'resolved-otherwise': { status: 409, title: 'The step was resolved in another way', ...fix },
  // How an operation ends that an operator has stopped.
  'stopped-by-operator': { status: 409, title: 'An operator has stopped the operation', ...newKey },
  // The answer of a cancel: the key of what has ended still gets its outcome.
  'already-settled': { status: 409, title: 'The operation has already ended', ...fix },
} as const satisfies Record<string, Failure>;

/** The codes of flows. A file that declares some adds them here: `declare module`, as in checkout.flow.ts. */
export interface FlowFailures {}

export type FailureCode = keyof typeof enginesOwn | keyof FlowFailures;
export type FailureRows = Readonly<Record<string, Failure>>;

const table = new Map<string, Failure>(Object.entries(enginesOwn));

/**
 * Adds a flow's own rows to the table.
 * @throws TypeError where a code has another row already: callers know a failure by its code alone
 */
export function addFailures(rows: FailureRows): void {
  for (const [code, row] of Object.entries(rows)) {
    const known = table.get(code);
    if (known !== undefined && JSON.stringify(known) !== JSON.stringify(row))
      throw new TypeError(
        `The failure code ${code} has two rows: give one of them another name, or let both flows share a row.`,
      );
    table.set(code, row);
  }
}

/** The engine's own codes, and then those of the flows. */
export function failureCodes(flows: readonly { readonly failures?: FailureRows }[]): readonly FailureCode[] {
  const rows = [enginesOwn, ...flows.map(({ failures = {} }) => failures)];
  return [...new Set(rows.flatMap((own) => Object.keys(own)))] as FailureCode[];
}

export function isFailureCode(text: string): text is FailureCode {
  return table.has(text);
}

/**
 * Whether the operation has ended so that its key may begin anew, by its flow's `renewsAfter`: by the request that is
 * answered, or only by another one, since the bytes of an upload cannot announce it.
 */
export type Renewable = boolean | 'by-another-request';

export function failure(code: FailureCode, renewable: Renewable = false): Failure {
  const row = table.get(code);
  if (row === undefined)
    throw new TypeError(`The failure table has no ${code}: add it to the \`failures\` of its flow.`);
  if (renewable === false || row.sameKeySafe) return row;
  return { ...row, ...(renewable === true ? anew : fix) };
}
