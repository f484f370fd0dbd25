import { z } from 'zod';
import { days, hours, minutes, seconds } from '../../../workflows/operation/duration.ts';
import { defineFlow } from '../../../workflows/operation/flow.ts';

/** Sends a letter by an outside system that only tests declare, and signs the guestbook's page for it. */
export const letterFlow = defineFlow({
  name: 'letter',
  version: 1,
  title: 'Send a letter',
  route: 'letters',
  request: z.strictObject({ words: z.string().min(1).max(1_000) }).meta({ examples: [{ words: 'It was lovely.' }] }),
  result: z.object({ posted: z.boolean() }),
  intent: ['words'],
  keyScope: 'subject',
  answers: 'outcome',
  workflow: 'tells',
  renewsAfter: [],
  patience: minutes(10),
  retries: { firstPause: seconds(1), growth: 2, longestPause: minutes(1), jitter: { from: 0.5, to: 1.5 } },
  undoPatience: hours(24),
  personAfter: minutes(15),
  retryHorizon: days(3),
  retention: { response: days(30), tombstone: days(400), because: 'A test needs its answers for minutes only.' },
  steps: {
    post: {
      effect: 'keyed',
      placement: 'outside',
      calls: 'letterShop',
      says: 'Posting the letter',
      undo: 'own',
      refusable: false,
    },
    enter: { effect: 'transaction', says: 'Entering it', undo: 'nothing', refusable: false },
  },
});
