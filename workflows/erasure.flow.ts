import { z } from 'zod';
import { days, hours, minutes } from './operation/duration.ts';
import { defineFlow } from './operation/flow.ts';

/** Erases what is kept about a subject. What is still under way is erased when it has ended. */
export const erasureFlow = defineFlow({
  name: 'erasure',
  version: 1,
  title: 'Erase the data of a subject',
  description:
    'Erases what the subject has sent before this moment, and what it was answered: requests, answers, e-mail addresses. How its ' +
    'operations ended, its orders and the movements of money stay. A key of an erased operation gets 410 `erased` and never ' +
    'runs again. Operations that are still open are erased within two minutes after their end. Files are deleted one by one.',
  route: 'subjects/{subject}/erase',
  request: z
    .strictObject({
      subject: z
        .string()
        .min(1)
        .max(200)
        .refine((name) => !/[\p{Cc}\p{Cs}]/u.test(name), 'give the name of a subject, without control characters'),
    })
    .meta({ examples: [{ subject: 'customer-4711' }] }),
  result: z
    .object({
      subject: z.string(),
      erased: z.int().describe('Operations of which nothing is left but how they ended.'),
      open: z
        .int()
        .describe(
          'Operations that are erased when they have ended, and late bytes cannot come any more; and what is beyond a thousand.',
        ),
    })
    .meta({ examples: [{ subject: 'customer-4711', erased: 12, open: 0 }] }),
  intent: ['subject'],
  keyScope: 'subject',
  answers: 'outcome',
  workflow: 'tells',
  refusals: [],
  renewsAfter: [],
  patience: minutes(10),
  undoPatience: hours(1),
  personAfter: minutes(15),
  retryHorizon: days(3),
  retention: {
    response: days(90),
    tombstone: days(400),
    because: 'the person who asked may want to see within a quarter that it was done',
  },
  steps: {
    request: {
      effect: 'transaction',
      says: 'Recording what is to be erased',
      // From here on it happens: upkeep erases what this operation leaves.
      undo: 'irreversible',
      refusable: false,
    },
    erase: {
      effect: 'transaction',
      says: 'Erasing',
      undo: 'irreversible',
      refusable: false,
    },
    report: { effect: 'transaction', says: 'Keeping that it was done', undo: 'nothing', refusable: false },
  },
});
