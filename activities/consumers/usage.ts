import { z } from 'zod';
import { defineConsumer } from '../consume/define-consumer.ts';
import { addUsage } from '../stores/postgres/usage/add-usage.ts';

/** Adds up what each subject has uploaded. Sums are the same in any order, so nothing waits. */
export const usage = defineConsumer({
  name: 'usage',
  from: { stream: 'HAPAX_EVENTS', subjects: ['hapax.*.*.upload.>'], tenancy: 'subject' },
  types: {
    'upload.used': z.object({ subject: z.string(), bytes: z.int().nonnegative(), stored: z.int().nonnegative() }),
  },
  order: 'any',
  locks: ({ environment, data }) => `${environment}/${data.subject}`,
  // The stream keeps its messages for ever, unless its owner bounds it: a sum must not count one of them again.
  window: 'forever',
  async effect(sql, { environment, data }) {
    await addUsage(sql, environment, data);
  },
});
