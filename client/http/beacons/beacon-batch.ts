import { z } from 'zod';
import { days } from '../../../workflows/operation/duration.ts';
import { operationId } from '../documented/schemas.ts';
import { clientWords } from '../protocol/client-class.ts';

/** What a page's state can be, in the words that the SDK shows. */
const pageStates = [
  'idle',
  'submitting',
  'confirming',
  'retrying',
  'waiting',
  'needs_action',
  'done',
  'refused',
  'failed',
  'unknown',
] as const;

/** A page that lay open for longer tells nothing of how an action went. Milliseconds. */
const longest = days(7);
const span = z.int().min(0).max(longest);

/** Letters and hyphens, so that no id, number or address of a person fits in. */
const screen = z
  .string()
  .max(40)
  .regex(
    /^[a-z]+(-[a-z]+){0,3}$/,
    'give the name of a screen: up to four words of lower-case letters, with hyphens between',
  );

const common = {
  id: z.uuid().describe('Made by the client, once for each beacon: one that is sent again counts once.'),
  operation: operationId
    .optional()
    .describe('The operation that it is about. One that the caller may not see counts as none.'),
  ago: span.describe('How long before this request it happened, in milliseconds: clocks of clients differ.'),
  times: z.int().min(1).max(1_000).default(1).describe('How often, where several are told as one.'),
  screen: screen.optional().describe('Where it was, by a name of the application.'),
  progress: z.int().min(0).max(100).optional().describe('The last progress that the person saw, in per cent.'),
  transitions: z
    .array(z.strictObject({ to: z.enum(pageStates), after: span }))
    .max(20)
    .default([])
    .describe("How the page's state had changed, each with the milliseconds since the action began."),
  browser: z.enum(clientWords.browser).optional(),
  device: z.enum(clientWords.device).optional(),
  network: z.enum(clientWords.network).optional(),
};

const beacon = z.discriminatedUnion('signal', [
  z.strictObject({
    ...common,
    signal: z.literal('repeated-click').describe('Somebody pressed again what was locked, or had been pressed.'),
  }),
  z.strictObject({ ...common, signal: z.literal('dialog-reopened').describe('A dialog was closed and opened again.') }),
  z.strictObject({ ...common, signal: z.literal('same-file-selected').describe('A file was chosen again.') }),
  z.strictObject({
    ...common,
    signal: z.literal('refresh-while-pending').describe('The page was loaded again while the action was under way.'),
  }),
  z.strictObject({
    ...common,
    signal: z.literal('recovered').describe('The action went on after an interruption.'),
    took: span.describe('Milliseconds from the interruption until then.'),
  }),
]);

/** A page that meets more than that in ten seconds has told enough. */
const mostInBatch = 50;

export const beaconBatch = z.strictObject({ beacons: z.array(beacon).min(1).max(mostInBatch) }).meta({
  examples: [
    {
      beacons: [
        {
          id: '5f0c7a3e-2b9d-4c61-9d0e-7a41c2f6b8d3',
          signal: 'repeated-click',
          ago: 1_200,
          times: 3,
          screen: 'checkout',
          device: 'mobile',
          transitions: [
            { to: 'submitting', after: 0 },
            { to: 'confirming', after: 900 },
          ],
        },
      ],
    },
  ],
});
