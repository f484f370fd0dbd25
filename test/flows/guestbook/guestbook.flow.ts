import { z } from 'zod';
import { days, hours, minutes } from '../../../workflows/operation/duration.ts';
import { type FailureRows, newKey } from '../../../workflows/operation/failures.ts';
import { defineFlow } from '../../../workflows/operation/flow.ts';

const guestbookFailures = {
  'page-full': { status: 409, title: 'The page has no line left', ...newKey },
} as const satisfies FailureRows;

type GuestbookFailures = typeof guestbookFailures;
declare module '../../../workflows/operation/failures.ts' {
  interface FlowFailures extends GuestbookFailures {}
}

/** Signs a page of a guestbook: two row steps, each through a query builder that people use with `pg`. */
export const guestbookFlow = defineFlow({
  name: 'guestbook',
  version: 1,
  title: 'Sign the guestbook',
  route: 'guestbook',
  request: z
    .strictObject({ page: z.string().min(1).max(100), words: z.string().min(1).max(1000) })
    .meta({ examples: [{ page: 'May', words: 'It was lovely.' }] }),
  result: z.object({ line: z.number() }),
  intent: ['page', 'words'],
  keyScope: 'subject',
  answers: 'outcome',
  workflow: 'tells',
  failures: guestbookFailures,
  renewsAfter: [],
  patience: minutes(10),
  undoPatience: hours(24),
  personAfter: minutes(15),
  retryHorizon: days(3),
  retention: { response: days(30), tombstone: days(400), because: 'A test needs its answers for minutes only.' },
  steps: {
    sign: { effect: 'transaction', says: 'Signing the page', undo: 'own', refusable: true },
    stamp: {
      effect: 'transaction',
      says: 'Stamping the entry',
      undo: 'nothing',
      refusable: false,
    },
  },
});
