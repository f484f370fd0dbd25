import type { FailureCode } from '../../../workflows/operation/failures.ts';
import { failure } from '../../../workflows/operation/failures.ts';

/** A header of an answer as OpenAPI has it. */
type AnswerHeader = {
  readonly type: 'string' | 'integer';
  readonly description: string;
  readonly enum?: readonly string[];
  readonly minimum?: number;
};
export type AnswerHeaders = Readonly<Record<string, AnswerHeader>>;

const text = (description: string): AnswerHeader => ({ type: 'string', description });

const requestId = { 'Request-Id': text('Names this request in our logs.') };
const location = { Location: text('The operation: `/v1/operations/{id}`.') };

/** What every answer of a flow may carry that is about its operation. */
const ofOperation = {
  'Idempotency-Key': text('The key, as it was sent.'),
  'Idempotency-Status': {
    type: 'string',
    enum: ['created', 'joined', 'replayed'],
    description:
      '`created`: this request began the operation. `joined`: it was under way. `replayed`: it had ended, and this is its answer.',
  },
  'Idempotent-Replayed': { type: 'string', enum: ['true'], description: 'Only on a replay.' },
  'Idempotency-Expires': text(
    'Until when the answer is replayed for this key, as an HTTP date. Only once the operation has ended.',
  ),
  'Original-Request': text('Only on a replay: the `Request-Id` of the request that began the operation.'),
  'Hapax-Workflow-Id': text("The operation's workflow, for people who look into Temporal."),
  ...location,
} as const satisfies AnswerHeaders;

/** The headers of a successful answer of a flow. */
export const flowHeaders: AnswerHeaders = { ...ofOperation, ...requestId };

/** The headers of a look at something: a key changes nothing there, and its sender is told so. */
export const lookHeaders: AnswerHeaders = {
  'Idempotency-Status': {
    type: 'string',
    enum: ['ignored'],
    description: 'Where an Idempotency-Key was sent: this request takes none.',
  },
  ...requestId,
};

/** The headers of every answer. */
export const requestHeaders: AnswerHeaders = requestId;

/** The headers of an answer that tells where its operation is. */
export const placeHeaders: AnswerHeaders = { ...location, ...requestId };

/** The headers of a problem with one of these codes. @param kept some of them end an operation under its key */
export function problemHeaders(codes: readonly FailureCode[], kept: boolean): AnswerHeaders {
  const waits = codes.some((code) => failure(code).retryAfter !== undefined);
  return {
    ...(kept ? ofOperation : {}),
    ...(waits ? { 'Retry-After': { type: 'integer', minimum: 0, description: 'Seconds to wait at least.' } } : {}),
    ...(codes.includes('unauthenticated') ? { 'WWW-Authenticate': text('`Bearer`: send a token.') } : {}),
    ...(codes.some((code) => code.startsWith('key-'))
      ? { Link: text('The page about a problem with the key, as `rel="describedby"`.') }
      : {}),
    ...requestId,
  };
}
