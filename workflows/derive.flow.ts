import { z } from 'zod';
import { days, hours, minutes } from './operation/duration.ts';
import { defineFlow } from './operation/flow.ts';
import { thumbnail } from './operation/thumbnail.ts';
import { uploadFailures } from './upload.failures.ts';

/** What can be made of a content. */
export const derivativeNames = ['thumbnails'] as const;

/** Makes once more what failed when its file was uploaded, or was lost since. It is made for all files of the content. */
export const deriveFlow = defineFlow({
  name: 'derive',
  version: 1,
  title: 'Make again what is made of a file',
  request: z
    .strictObject({
      content: z.string(),
      derivative: z.enum(derivativeNames),
      /** The failure that it follows: there is one try for each. ISO 8601. */
      failedAt: z.string(),
    })
    .meta({
      examples: [
        { content: 'cnt_00000000000000000000000000', derivative: 'thumbnails', failedAt: '2026-11-27T12:00:00.000Z' },
      ],
    }),
  result: z.object({
    derivative: z.enum(derivativeNames),
    state: z.enum(['done', 'failed']),
    files: z.array(thumbnail).readonly(),
    code: z.string().optional(),
    detail: z.string().optional(),
  }),
  intent: ['content', 'derivative', 'failedAt'],
  // Subjects that share a content do not learn of each other: each has a try of its own, which makes the same.
  keyScope: 'subject',
  answers: 'outcome',
  workflow: 'tells',
  failures: uploadFailures,
  refusals: ['bytes-missing', 'content-undecodable'],
  // The failure stands as it was, and with it the key.
  renewsAfter: ['cancelled', 'expired', 'compensated', 'compensation_incomplete'],
  patience: hours(2),
  undoPatience: hours(2),
  personAfter: hours(1),
  retryHorizon: days(1),
  retention: {
    response: days(30),
    tombstone: days(400),
    because: 'as uploads; the content itself tells what became of it, and the next failure has a key of its own',
  },
  steps: {
    thumbnails: {
      effect: 'natural',
      says: 'Making thumbnails',
      // They lie under the content, which explains and removes them.
      undo: 'nothing',
      refusable: true,
      placement: 'media',
      // Longer than an object store that is away; whoever waits for it asks again.
      optional: { within: minutes(10) },
    },
    record: {
      effect: 'transaction',
      says: 'Keeping what was made with the file',
      undo: 'nothing',
      refusable: true,
    },
  },
});
