import { isDeepStrictEqual } from 'node:util';
import type { FastifyInstance } from 'fastify';
import type { ZodTypeProvider } from 'fastify-type-provider-zod';
import { z } from 'zod';
import { EndpointFault } from '../../../activities/endpoint-address/endpoint-fault.ts';
import { NameUnanswered } from '../../../activities/endpoint-address/name-unanswered.ts';
import { resolveEndpoint, type ResolveName } from '../../../activities/endpoint-address/resolve-endpoint.ts';
import { type EndpointRules, soundEndpoint } from '../../../activities/endpoint-address/sound-endpoint.ts';
import type { Database } from '../../../activities/stores/postgres/database.ts';
import { LedgerFault } from '../../../activities/stores/postgres/ledger-fault.ts';
import {
  createEndpoint,
  readEndpoint,
  type WantedEndpoint,
} from '../../../activities/stores/postgres/outbox/webhook-endpoints.ts';
import { readSecret } from '../../../activities/stores/postgres/outbox/webhook-secrets.ts';
import { endpointId, secretId } from '../../../workflows/operation/key.ts';
import { answer } from '../documented/answer.ts';
import { requestHeaders } from '../documented/answer-headers.ts';
import { admitted } from '../operations/ask-operation.ts';
import { HttpProblem } from '../problems/http-problem.ts';
import { requestInvalid } from '../problems/request-invalid.ts';
import { problems, routeCodes } from '../problems/route-problems.ts';
import { asSent } from '../protocol/as-sent.ts';
import { acceptJson, jsonLimit } from '../protocol/json-body.ts';
import { keySchema } from '../protocol/key-schema.ts';
import { requireKey } from '../routes/flow-routes.ts';
import { endpointExample, endpointView, endpointWithSecret } from './endpoint-view.ts';
import { keptAsTheyAre, type KeptSecrets } from './kept-secrets.ts';
import { newSecret } from './new-secret.ts';

/** A type as steps tell it, such as `asset.ready`. One that nothing tells yet is no fault: a deploy may bring it. */
const eventType = z
  .string()
  .max(100)
  .regex(/^[a-z][a-z0-9_-]*([.][a-z0-9_-]+)+$/, 'give the type of an event, such as asset.ready');

const wanted = z
  .strictObject({
    url: z.string().max(2_000).describe('Where events are posted to: https, and an address of the Internet.'),
    types: z
      .array(eventType)
      .min(1)
      .max(100)
      .optional()
      .describe('The types of the events that it gets. Default: all.'),
    description: z.string().min(1).max(500).optional().describe('For people.'),
  })
  .meta({
    examples: [{ url: endpointExample.url, types: endpointExample.types, description: endpointExample.description }],
  });

export type EndpointParts = {
  readonly database: Database;
  readonly rules: EndpointRules;
  /** A test passes its own. */
  readonly resolve?: ResolveName;
  /** Default: they are kept as they are. */
  readonly secrets?: KeptSecrets;
};

/** Creates an endpoint, once for each key. */
export function createEndpointRoute(
  instance: FastifyInstance,
  { database, rules, resolve, secrets = keptAsTheyAre }: EndpointParts,
): void {
  acceptJson(instance);
  instance.withTypeProvider<ZodTypeProvider>().post(
    '/v1/webhook-endpoints',
    {
      config: { role: 'operator', takesKey: true },
      onRequest: requireKey,
      bodyLimit: jsonLimit,
      validatorCompiler: asSent,
      schema: {
        summary: 'Have events posted to an address of yours',
        description:
          'Events that are told from now on are posted there, signed with the secret of the answer. A retry with the same key gets the same endpoint and the same secret.',
        tags: ['webhook endpoints'],
        headers: z.looseObject({ 'idempotency-key': keySchema }),
        body: wanted,
        response: {
          201: answer(
            'The endpoint, by this request or by an earlier one with the same key.',
            endpointWithSecret.meta({
              examples: [{ ...endpointExample, secret: 'whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw' }],
            }),
            requestHeaders,
          ),
          ...problems(
            ...routeCodes.takesBody,
            ...(['key-missing', 'key-malformed', 'key-personal', 'key-reused', 'key-expired'] as const),
            ...routeCodes.declaresEndpoint,
          ),
        },
      },
    },
    async (request, reply) => {
      const { caller, idempotencyKey: key, body } = request;
      const named = { ...caller, id: endpointId({ ...caller, key }) };
      const asked = wantedOf(body, rules);
      const secret = secretId(named.id);
      let endpoint = await readEndpoint(database, named);
      if (endpoint === undefined) {
        await resolveEndpoint(new URL(asked.url), rules, resolve).catch(asProblem);
        if (!(await admitted(instance, request)))
          throw new HttpProblem(
            'too-many-requests',
            'Too many new operations: wait, then ask again with the same key.',
          );
        const first = { id: secret, text: secrets.seal(newSecret(), named) };
        endpoint = await createEndpoint(database, named, { ...asked, by: caller.subject }, first).catch(asProblem);
      }
      if (endpoint.deleted)
        throw new HttpProblem(
          'key-expired',
          'The endpoint of this Idempotency-Key was deleted, and is not created again: make a new key for a new endpoint.',
          { header: 'Idempotency-Key' },
        );
      const { url, types, description } = endpoint;
      if (!isDeepStrictEqual({ url, types, description }, asked))
        throw new HttpProblem(
          'key-reused',
          'This Idempotency-Key was used for another endpoint: make a new key for a new endpoint.',
          { header: 'Idempotency-Key' },
        );
      const kept = await readSecret(database, caller.tenant, secret);
      const known = kept === undefined ? {} : { secret: secrets.open(kept, named) };
      return reply.code(201).send({ ...endpointView(endpoint), ...known });
    },
  );
}

/** In the form in which it is kept, so that a retry can be told from another request. */
function wantedOf({ url, types, description }: z.output<typeof wanted>, rules: EndpointRules): WantedEndpoint {
  try {
    const { href } = soundEndpoint(url, rules);
    return {
      url: href,
      types: types === undefined ? null : [...new Set(types)].toSorted(),
      description: description ?? null,
    };
  } catch (error) {
    return asProblem(error);
  }
}

/** @throws HttpProblem */
function asProblem(error: unknown): never {
  if (error instanceof EndpointFault) throw requestInvalid([{ instancePath: '/url', message: error.message }]);
  if (error instanceof NameUnanswered)
    throw new HttpProblem(
      'name-unanswered',
      `${error.message} Nothing was created: wait, then ask again with the same key.`,
    );
  if (error instanceof LedgerFault && error.constraint === 'tenant_has_few_endpoints')
    throw new HttpProblem(
      'too-many-endpoints',
      `${error.message}: delete one that you need no longer, then ask again with the same key.`,
    );
  throw error;
}
