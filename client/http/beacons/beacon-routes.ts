import type { FastifyInstance } from 'fastify';
import type { ZodTypeProvider } from 'fastify-type-provider-zod';
import { z } from 'zod';
import type { Database } from '../../../activities/stores/postgres/database.ts';
import { type KeptBeacon, recordBeacons } from '../../../activities/stores/postgres/ledger/record-beacons.ts';
import { shownSubject } from '../operations/shown-operations.ts';
import { HttpProblem } from '../problems/http-problem.ts';
import { problems, routeCodes } from '../problems/route-problems.ts';
import { clientClass } from '../protocol/client-class.ts';
import { acceptJson, jsonLimit } from '../protocol/json-body.ts';
import { beaconBatch } from './beacon-batch.ts';

export type CountBeacon = (kept: KeptBeacon) => void;

/** A page sends what it has every ten seconds at most. This is for ten pages of one caller, in a minute. */
const batchesPerMinute = 60;

/** What people met at their screens, told by clients that want to. */
export function beaconRoutes(app: FastifyInstance, database: Database, count: CountBeacon): void {
  acceptJson(app);
  const batches = app.createRateLimit({ max: batchesPerMinute, timeWindow: '1 minute' });
  app.withTypeProvider<ZodTypeProvider>().post(
    '/v1/beacons',
    {
      config: { anonymous: true },
      bodyLimit: jsonLimit,
      schema: {
        summary: 'Tell what people met at a screen; repeatable, needs no key',
        description:
          'Friction: repeated clicks, reopened dialogs, the same file chosen again, a refresh while something was under way, and how ' +
          'long it took to go on after an interruption. It is optional, changes no operation, and takes words of short lists and numbers ' +
          'alone: no personal data. It is kept for 30 days. `browser`, `device` and `network` are those of the request where they are left out.',
        tags: ['beacons'],
        body: beaconBatch,
        response: {
          204: z.null().describe('All of them are kept, by this request or by an earlier one.'),
          ...problems(...routeCodes.takesBody),
        },
      },
    },
    async (request, reply) => {
      const limit = await batches(request);
      if (!limit.isAllowed && limit.isExceeded)
        throw new HttpProblem('too-many-requests', 'Too many beacons: send them in batches, or drop some.', {
          retryAfter: limit.ttlInSeconds,
        });
      const { caller, body, headers } = request;
      const { browser, device, network } = clientClass(headers);
      const beacons = body.beacons.map((beacon) => ({
        ...beacon,
        browser: beacon.browser ?? browser,
        device: beacon.device ?? device,
        network: beacon.network ?? network,
      }));
      const kept = await recordBeacons(database, { ...caller, subject: shownSubject(caller) }, beacons);
      for (const one of kept) count(one);
      return await reply.code(204).send(null);
    },
  );
}
