import { Client, Connection } from '@temporalio/client';
import { SlowHashes } from '../../../activities/seal/slow-hashes.ts';
import { Database } from '../../../activities/stores/postgres/database.ts';
import { newsChannel, sendProbe } from '../../../activities/stores/postgres/news-channel.ts';
import { SeenRequests } from '../../../client/gateway/seen-requests.ts';
import type { ConnectedGateway } from '../../../client/gateway/connect.ts';
import { Outcomes } from '../../../client/gateway/outcomes.ts';
import { SettledNews } from '../../../client/gateway/settled-news.ts';
import { Workflows } from '../../../client/gateway/workflows.ts';
import { Gateway } from '../../../client/gateway.ts';
import { testSeals } from '../seal-keys.ts';
import type { World } from '../world.ts';

export type UnhurriedGateway = Pick<ConnectedGateway, 'gateway' | 'database' | 'close'>;

/**
 * A gateway as it ships, which begins whatever is asked for and remembers no answers. The usual one counts how fast
 * operations end, and takes those that stand at their boundaries for work that is too slow.
 */
export async function unhurriedGateway(world: World, taskQueue: string): Promise<UnhurriedGateway> {
  const connection = Connection.lazy({ address: world.env.TEMPORAL_ADDRESS as string });
  const database = new Database(world.databaseUrl, 'hapax_app');
  const news = new SettledNews({
    url: world.databaseUrl,
    channel: () => newsChannel(database),
    probe: (channel, token) => sendProbe(database, channel, token),
  });
  await news.listen();
  const seen = new SeenRequests(database);
  const gateway = new Gateway({
    database,
    workflows: new Workflows(new Client({ connection }), taskQueue),
    outcomes: new Outcomes(database, news),
    seen,
    cacheEntries: 0,
    seals: testSeals,
    hashes: new SlowHashes(),
    log: console.error,
  });
  return {
    gateway,
    database,
    async close() {
      await seen.close();
      await news.close();
      await connection.close();
      await database.close();
    },
  };
}
