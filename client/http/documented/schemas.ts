import { z } from 'zod';
import { resolutionStandings } from '../../../activities/stores/postgres/ledger/resolutions/read-resolutions.ts';
import { flows } from '../../../workflows/flows.ts';
import { type Action, failureCodes } from '../../../workflows/operation/failures.ts';
import { operationStates, stepStates } from '../../../workflows/operation/state.ts';
import { advice } from '../problems/advice.ts';

/** What the door answers with, for OpenAPI and for clients' types. */

export const problemSchema = z
  .looseObject({
    type: z.string(),
    title: z.string(),
    status: z.int(),
    detail: z.string(),
    // Documented and not enforced: a row may have ended with a code that this build has no more.
    code: z.string().meta({ enum: [...failureCodes(flows)] }),
    retryable: z
      .boolean()
      .describe('Whether this very request, sent again unchanged and under the same key, may succeed later.'),
    sameKeySafe: z
      .boolean()
      .describe('Whether the next try may keep the key; where it is false, make a new key for it.'),
    retryAfter: z.int().optional().describe('Seconds to wait at least; Retry-After says the same'),
    action: z.enum(Object.keys(advice) as [Action, ...Action[]]).describe(
      `What to do next:\n\n${Object.entries(advice)
        .map(([action, text]) => `- \`${action}\`: ${text}`)
        .join('\n')}`,
    ),
    operationUrl: z.string().optional().describe('Where the operation can be looked at'),
    docUrl: z.string().describe('The page that explains the code'),
    requestId: z.string().describe('For support: it stands in our logs'),
  })
  .meta({ id: 'Problem', description: 'RFC 9457 problem details' });

/** How long to wait, of a route that can. */
export const preferHeader = {
  prefer: z
    .string()
    .optional()
    .describe('`wait=n` (RFC 7240): wait up to n seconds for the outcome, at most 30; 0 asks for the answer at once.'),
};

const troubleSchema = z
  .object({
    step: z.string(),
    undoing: z.boolean().optional().describe("There, and true, where the step's undo is meant."),
    says: z.string().describe('What the last try met, for a person.'),
    since: z.string(),
    tries: z.int().describe('How many tries have failed since.'),
    nextTryAt: z.string(),
    needs: z.literal('person').optional().describe('There once trying again is not expected to help.'),
  })
  .meta({
    id: 'Trouble',
    description: 'Why an operation makes no progress, or what about its money does not add up (step `money`)',
  });

const resolutionSchema = z
  .object({
    step: z.string(),
    outcome: z.enum(['done', 'no-effect']),
    result: z.looseObject({}).optional(),
    evidence: z.string(),
    reason: z.string(),
    by: z.string(),
    at: z.string(),
    standing: z
      .enum(resolutionStandings)
      .describe(
        [
          '- `waiting`: the next try of the step decides about it.',
          '- `held`: it was followed.',
          '- `lapsed`: it was not, and `says` tells why.',
          '- `overtaken`: the step found out by itself what had become of it.',
        ].join('\n'),
      ),
    says: z.string().optional(),
  })
  .meta({ id: 'Resolution', description: 'What a person has said of a step that made no progress' });

/** What an operation waits for that comes from outside. */
export const waits = {
  awaits: z.string().optional().describe('The step that waits for something from outside.'),
  next: z.string().optional().describe('What is to happen next, for a person.'),
  expiresAt: z.string().optional().describe('Until when it is waited for.'),
};

/** @param offered what flows add of their own */
export const operationSchema = (offered: z.ZodRawShape) =>
  z
    .looseObject({
      id: z.string(),
      flow: z.string(),
      key: z.string(),
      generation: z.int(),
      state: z.enum(operationStates),
      cancelRequested: z.boolean().optional(),
      steps: z.array(
        z.looseObject({
          name: z.string(),
          says: z.string(),
          state: z
            .enum([...stepStates, 'waiting', 'lapsed', 'skipped'])
            .describe(
              '`waiting`: for something from outside. `lapsed`: it did not come, and is not waited for any more. `skipped`: this operation did not need it.',
            ),
          attempts: z.int().describe('How often the step or its undo was sent, or begun where nothing is sent.'),
          sentAt: z.string().optional(),
          endedAt: z.string().optional(),
          problem: z.object({ code: z.string(), detail: z.string() }).optional(),
          result: z.unknown().optional().describe('What the step has given. For viewers and operators.'),
        }),
      ),
      trouble: troubleSchema.optional(),
      resolutions: z.array(resolutionSchema).optional().describe('For viewers and operators.'),
      result: z.looseObject({}).optional(),
      problem: problemSchema.optional(),
      createdAt: z.string(),
      settledAt: z.string().optional(),
      ...waits,
      ...offered,
    })
    .meta({ id: 'Operation', description: 'One operation, as the ledger has it' });

export const operationId = z.string().regex(/^op_[0-9a-z]{26}$/, "give an operation's id: op_ and 26 characters");
