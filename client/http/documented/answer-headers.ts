import type { FailureCode } from '../../../workflows/operation/failures.ts';
import { failure } from '../../../workflows/operation/failures.ts';

/** A header of an answer, as OpenAPI describes it. */
type AnswerHeader = {
  readonly type: 'string' | 'integer';
  readonly description: string;
  readonly enum?: readonly string[];
  readonly minimum?: number;
};
export type AnswerHeaders = Readonly<Record<string, AnswerHeader>>;

const text = (description: string): AnswerHeader => ({ type: 'string', description });

const requestId = { 'Request-Id': text('Identifies this request in our logs.') };
const location = { Location: text('The operation: `/v1/operations/{id}`.') };

/** The headers about the operation, which every answer of a flow may carry. */
const ofOperation = {
  'Idempotency-Key': text('The key, as it was sent.'),
  'Idempotency-Status': {
    type: 'string',
    enum: ['created', 'joined', 'replayed'],
    description:
      '`created`: this request began the operation. `joined`: the operation was already under way. `replayed`: it had ended, and this is its stored answer.',
  },
  'Idempotent-Replayed': { type: 'string', enum: ['true'], description: 'Only on a replay.' },
  'Idempotency-Expires': text(
    'Until when the answer is replayed for this key, as an HTTP date. Only once the operation has ended.',
  ),
  'Original-Request': text('Only on a replay: the `Request-Id` of the request that began the operation.'),
  'Hapax-Workflow-Id': text("The id of the operation's workflow, to find it in Temporal's UI."),
  ...location,
} as const satisfies AnswerHeaders;

/** The headers of a successful answer of a flow. */
export const flowHeaders: AnswerHeaders = { ...ofOperation, ...requestId };

/** The headers of a read. An Idempotency-Key has no effect there, and the answer says so. */
export const lookHeaders: AnswerHeaders = {
  'Idempotency-Status': {
    type: 'string',
    enum: ['ignored'],
    description: 'Only when an Idempotency-Key was sent: this request takes none.',
  },
  ...requestId,
};

/** The headers of every answer. */
export const requestHeaders: AnswerHeaders = requestId;

/** The headers of an answer that says where its operation is. */
export const placeHeaders: AnswerHeaders = { ...location, ...requestId };

/**
 * The headers of a problem with one of these codes.
 * @param kept whether some of the codes end an operation under its key
 */
export function problemHeaders(codes: readonly FailureCode[], kept: boolean): AnswerHeaders {
  const waits = codes.some((code) => failure(code).retryAfter !== undefined);
  return {
    ...(kept ? ofOperation : {}),
    ...(waits
      ? { 'Retry-After': { type: 'integer', minimum: 0, description: 'Wait at least this many seconds.' } }
      : {}),
    ...(codes.includes('unauthenticated') ? { 'WWW-Authenticate': text('`Bearer`: send a token.') } : {}),
    ...(codes.some((code) => code.startsWith('key-'))
      ? { Link: text('The page that explains the problem with the key, as `rel="describedby"`.') }
      : {}),
    ...requestId,
  };
}
