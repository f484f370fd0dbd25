import { z } from 'zod';
import { operationStates } from '../../../workflows/operation/state.ts';
import { longestKey } from '../protocol/idempotency-key.ts';
import { operationId } from '../documented/schemas.ts';
import { cursorOf } from '../protocol/page-cursor.ts';

/** A key as the ledger stores it, without quotes. */
const key = z
  .string()
  .max(longestKey)
  .regex(/^[\x20-\x7e]*$/, 'give a key: printable ASCII characters');

/** A page fits one screen; the largest still answers in milliseconds. */
const pageSize = { usual: 50, most: 200 };
const pageRange = `give a whole number from 1 to ${pageSize.most}`;

export const pageLimit = z.coerce
  .number(pageRange)
  .int({ error: pageRange, abort: true })
  .min(1, pageRange)
  .max(pageSize.most, pageRange)
  .default(pageSize.usual);

/** What a list of operations can be asked for. */
export const pageQuery = {
  key: key.optional(),
  state: z
    .enum([...operationStates, 'open', 'settled'])
    .optional()
    .describe('A state, or a group of them: `open` has not ended, `settled` has.'),
  trouble: z
    .enum(['true', 'false'])
    .optional()
    .describe('`true`: only operations that make no progress, or whose money does not add up.'),
  limit: pageLimit,
  after: cursorOf(operationId).optional(),
};

export type PageQuery = z.output<z.ZodObject<typeof pageQuery>>;
