import { flows } from '../../../workflows/flows.ts';
import { type FailureCode, failure, failureCodes } from '../../../workflows/operation/failures.ts';
import { problemHeaders } from '../documented/answer-headers.ts';
import { problemSchema } from '../documented/schemas.ts';

/** Codes that only some routes answer with, by what these routes do. */
export const routeCodes = {
  /** Reads a body, even if only to discard it. */
  takesBody: ['body-malformed', 'body-too-large', 'media-type-unsupported'],
  /** Names something in its path. */
  looksUp: ['not-found'],
  takesKey: [
    'key-missing',
    'key-malformed',
    'key-personal',
    'key-reused',
    'key-expired',
    'erased',
    'fingerprint-unknown',
  ],
  /** Begins or joins an operation, and answers with how it ended. */
  runs: [
    'in-progress',
    'operation-indeterminate',
    'needs-person',
    'stopped-by-operator',
    'cancelled',
    'expired',
    'compensated',
    'compensation-incomplete',
    'step-failed',
  ],
  cancels: ['past-no-return', 'already-settled'],
  /** Takes bytes by a protocol for uploads, which is documented elsewhere. */
  appends: ['protocol-version-unsupported', 'offset-mismatch', 'upload-exceeded'],
  /** Takes what other systems tell us; a sender reads the status alone. */
  hears: ['signature-invalid', 'environment-mismatch'],
  /** Why something that was told is not done, or did not leave: dead letters name it, and no route answers with it. */
  letters: [
    ...(['object-unknown', 'handler-failed'] as const),
    ...([
      'recipient-unsound',
      'message-refused',
      'subject-refused',
      'message-unwritable',
      'delivery-failed',
      'delivery-in-doubt',
      'endpoint-disabled',
    ] as const),
  ],
  replays: ['not-a-dead-letter'],
  /** Declares where webhooks go. */
  declaresEndpoint: ['name-unanswered', 'too-many-endpoints'],
  resolves: ['not-in-doubt', 'resolved-otherwise', 'already-settled', 'past-no-return'],
} as const satisfies Readonly<Record<string, readonly FailureCode[]>>;

const particular: ReadonlySet<string> = new Set(Object.values(routeCodes).flat());
/** The engine's other codes may come from every route: they are answered before the route is reached, or instead of it. */
const everywhere = failureCodes([]).filter((code) => !particular.has(code));

/** A problem that ended an operation carries the headers of that operation. */
const kept: ReadonlySet<string> = new Set([...routeCodes.runs, ...flows.flatMap(({ refusals }) => refusals)]);

/**
 * The problems of one route, by status, from the failure table.
 * @param codes what this route answers with in addition to what every route does
 */
export function problems(...codes: readonly FailureCode[]) {
  const byStatus = Map.groupBy(new Set([...everywhere, ...codes]), (code) => failure(code).status);
  const statuses = [...byStatus].toSorted(([a], [b]) => a - b);
  return Object.fromEntries(
    statuses.map(([status, of]) => [
      status,
      {
        description: of.map((code) => `- \`${code}\`: ${failure(code).title}.`).join('\n'),
        headers: problemHeaders(
          of,
          of.some((code) => kept.has(code) && codes.includes('key-missing')),
        ),
        content: { 'application/problem+json': { schema: problemSchema } },
      },
    ]),
  );
}
