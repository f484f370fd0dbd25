import pino from 'pino';
import { EventHandlers } from '../../client/events/event-handlers.ts';
import { EventSources } from '../../client/events/event-sources.ts';
import { Inbox } from '../../client/events/inbox.ts';
import { connectGateway } from '../../client/gateway/connect.ts';
import { createDoor } from '../../client/http/door.ts';
import { Additions } from '../../client/http/flow-additions.ts';
import type { Registration } from '../../activities/registration.ts';
import { settlesInClaim } from '../../workers/registrations.ts';
import type { Role } from '../../workflows/operation/role.ts';
import type { Ground } from './global-setup.ts';

/**
 * The HTTP API of flows that are not shipped, in the test's own process. A bearer token is the subject's name, and all
 * are of tenant alpha and have the same role.
 */
export async function doorHere(
  { temporalAddress }: Ground,
  databaseUrl: string,
  registered: readonly Registration[],
  role: Role = 'caller',
  more: Pick<Parameters<typeof createDoor>[0], 'endpoints'> = {},
): Promise<{ readonly url: string; readonly close: () => Promise<void> }> {
  const { gateway, database, changes, close } = await connectGateway({
    ...{ databaseUrl, temporalAddress, taskQueue: 'nobody', cacheEntries: 0 },
    inClaim: (ledger) => settlesInClaim(ledger, registered),
  });
  const handlers = new EventHandlers([]);
  const app = await createDoor({
    flows: registered.map(({ flow }) => flow),
    ...{ gateway, database, changes },
    additions: new Additions([]),
    inbox: new Inbox({ database, sources: EventSources.read('{}'), handlers }),
    authenticate: (subject) => ({ tenant: 'alpha', environment: 'test', subject, role }),
    log: pino({ level: 'silent' }),
    metrics: async () => '',
    ready: async () => [],
    newPerMinute: 10_000,
    corsOrigins: [],
    ...more,
  });
  return {
    url: await app.listen({ host: '127.0.0.1', port: 0 }),
    async close() {
      app.server.closeIdleConnections();
      await app.close();
      await close();
    },
  };
}
