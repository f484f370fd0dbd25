import { z } from 'zod';
import { operationStates, stepStates } from '../../workflows/operation/state.ts';

/** What the door answers with, for OpenAPI and for clients' types. */

export const problemSchema = z
  .looseObject({
    type: z.string(),
    title: z.string(),
    status: z.int(),
    detail: z.string(),
    code: z.string(),
    retryable: z.boolean(),
    sameKeySafe: z.boolean(),
    retryAfter: z.int().optional(),
    action: z.enum(['wait', 'retry', 'change_payment_method', 'fix_request', 'contact_support']),
    operationUrl: z.string().optional(),
    docUrl: z.string(),
    requestId: z.string(),
  })
  .describe('RFC 9457 problem details');

export const operationSchema = z
  .looseObject({
    id: z.string(),
    flow: z.string(),
    key: z.string(),
    generation: z.int(),
    state: z.enum(operationStates),
    steps: z.array(
      z.looseObject({
        name: z.string(),
        says: z.string(),
        state: z.enum(stepStates),
        attempts: z.int(),
      }),
    ),
    result: z.looseObject({}).optional(),
    problem: problemSchema.optional(),
    createdAt: z.string(),
    settledAt: z.string().optional(),
  })
  .describe('One operation, as the ledger has it');

export const operationId = z.string().regex(/^op_[0-9a-z]{26}$/, "give an operation's id: op_ and 26 characters");
