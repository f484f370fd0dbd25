import { z } from 'zod';
import type { WebhookEndpoint } from '../../../activities/stores/postgres/outbox/webhook-endpoints.ts';

export const endpointId = z
  .string()
  .regex(/^we_[0-9a-z]{26}$/, "give the id of an endpoint for webhooks: 'we_' and 26 characters");

export const endpointExample = {
  id: `we_${'0'.repeat(26)}`,
  url: 'https://shop.example.com/webhooks',
  types: ['asset.ready'],
  description: 'The search index',
  state: 'enabled',
  createdAt: '2026-11-27T12:00:00.000Z',
} as const;

export const endpointSchema = z.object({
  id: endpointId,
  url: z.string(),
  types: z.array(z.string()).optional().describe('Left out where it gets events of every type.'),
  description: z.string().optional(),
  state: z.enum(['enabled', 'disabled', 'deleted']).describe('`disabled`: nothing is sent until it is enabled again.'),
  createdAt: z.string(),
  disabledAt: z.string().optional(),
  disabledBecause: z.string().optional().describe('Why it was disabled, for a person.'),
});

/** With the secret, which only who creates or rotates it is told. */
export const endpointWithSecret = endpointSchema.extend({
  secret: z
    .string()
    .optional()
    .describe(
      'Verifies signatures: keep it. Left out where it signs nothing any more, since it was rotated or deleted.',
    ),
});

/** What an answer says of an endpoint. */
export function endpointView(endpoint: WebhookEndpoint): z.output<typeof endpointSchema> {
  const { id, url, types, description, createdAt, disabledAt, disabledBecause, deleted } = endpoint;
  return {
    ...{ id, url },
    ...(types === null ? {} : { types: [...types] }),
    ...(description === null ? {} : { description }),
    state: deleted ? 'deleted' : disabledAt === null ? 'enabled' : 'disabled',
    createdAt: createdAt.toISOString(),
    ...(disabledAt === null ? {} : { disabledAt: disabledAt.toISOString() }),
    ...(disabledBecause === null ? {} : { disabledBecause }),
  };
}
