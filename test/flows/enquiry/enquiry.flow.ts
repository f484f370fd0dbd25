import { z } from 'zod';
import { days, hours, minutes, seconds } from '../../../workflows/operation/duration.ts';
import { defineFlow } from '../../../workflows/operation/flow.ts';

/** Takes a message from a form that knows no keys: equal words of one person within three seconds are one message. */
export const enquiryFlow = defineFlow({
  name: 'enquiry',
  version: 1,
  title: 'Send a message',
  route: 'enquiries',
  request: z
    .strictObject({ words: z.string().min(1).max(1_000), page: z.string().max(200).optional() })
    .meta({ examples: [{ words: 'Are you open on Sunday?' }] }),
  result: z.object({ messageId: z.string() }),
  // The page that the form stands on does not make it another message.
  intent: ['words'],
  keyScope: 'subject',
  answers: 'outcome',
  workflow: 'never',
  renewsAfter: [],
  patience: minutes(10),
  undoPatience: hours(1),
  personAfter: minutes(15),
  retryHorizon: days(3),
  retention: { response: days(30), tombstone: days(400), because: 'A test needs its answers for minutes only.' },
  contentKey: { window: seconds(3), because: 'nobody asks the same thing twice within three seconds on purpose' },
  steps: { send: { effect: 'transaction', says: 'Taking the message', undo: 'nothing', refusable: false } },
});
