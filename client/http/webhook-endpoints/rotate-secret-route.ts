import type { FastifyInstance } from 'fastify';
import type { ZodTypeProvider } from 'fastify-type-provider-zod';
import { z } from 'zod';
import { readEndpoint } from '../../../activities/stores/postgres/outbox/webhook-endpoints.ts';
import { readSecret, rotateSecret } from '../../../activities/stores/postgres/outbox/webhook-secrets.ts';
import { hours } from '../../../workflows/operation/duration.ts';
import { secretId } from '../../../workflows/operation/key.ts';
import { answer } from '../documented/answer.ts';
import { requestHeaders } from '../documented/answer-headers.ts';
import { HttpProblem } from '../problems/http-problem.ts';
import { problems, routeCodes } from '../problems/route-problems.ts';
import { asSent } from '../protocol/as-sent.ts';
import { keySchema } from '../protocol/key-schema.ts';
import { requireKey } from '../routes/flow-routes.ts';
import type { EndpointParts } from './create-endpoint-route.ts';
import { endpointId, endpointView, endpointWithSecret } from './endpoint-view.ts';
import { keptAsTheyAre } from './kept-secrets.ts';
import { newSecret } from './new-secret.ts';

/** A receiver that is deployed once a day has learned the new secret by then. */
const beside = hours(24);

/** Makes a new secret of an endpoint, once for each key. */
export function rotateSecretRoute(
  instance: FastifyInstance,
  { database, secrets = keptAsTheyAre }: Pick<EndpointParts, 'database' | 'secrets'>,
): void {
  instance.withTypeProvider<ZodTypeProvider>().post(
    '/v1/webhook-endpoints/:id/rotate',
    {
      config: { role: 'operator', takesKey: true },
      onRequest: requireKey,
      validatorCompiler: asSent,
      schema: {
        summary: 'Make a new secret of an endpoint for webhooks',
        description:
          'Both sign for 24 hours, and then the new one alone. A retry with the same key gets the same secret.',
        tags: ['webhook endpoints'],
        headers: z.looseObject({ 'idempotency-key': keySchema }),
        params: z.object({ id: endpointId }),
        response: {
          200: answer('The endpoint, with its new secret.', endpointWithSecret, requestHeaders),
          ...problems(
            ...routeCodes.looksUp,
            ...routeCodes.takesBody,
            ...(['key-missing', 'key-malformed', 'key-personal'] as const),
          ),
        },
      },
    },
    async ({ params: { id }, caller, idempotencyKey: key }) => {
      const { tenant, environment, subject } = caller;
      const secret = secretId(id, { subject, key });
      const named = { tenant, environment, id };
      const rotation = {
        tenant,
        environment,
        endpoint: id,
        id: secret,
        secret: secrets.seal(newSecret(), named),
        beside,
      };
      const endpoint = (await rotateSecret(database, rotation)) ? await readEndpoint(database, named) : undefined;
      if (endpoint === undefined) throw new HttpProblem('not-found', 'There is no such endpoint.');
      const kept = await readSecret(database, tenant, secret);
      return { ...endpointView(endpoint), ...(kept === undefined ? {} : { secret: secrets.open(kept, named) }) };
    },
  );
}
