import { Client, Connection } from '@temporalio/client';
import { Database } from '../../activities/stores/postgres/database.ts';
import { newsChannel } from '../../activities/stores/postgres/news-channel.ts';
import { workInHand } from '../../activities/stores/postgres/work-in-hand.ts';
import { Gateway, type GatewayParts } from '../gateway.ts';
import { Admission } from './admission.ts';
import { Arrivals } from './arrivals.ts';
import { Outcomes } from './outcomes.ts';
import { SettledNews } from './settled-news.ts';
import { Workflows } from './workflows.ts';

export type GatewayOptions = {
  readonly databaseUrl: string;
  readonly temporalAddress: string;
  /** Default `default`. */
  readonly namespace?: string;
  /** Where the operations worker listens. Default `hapax`. */
  readonly taskQueue?: string;
} & Partial<Pick<GatewayParts, 'cacheEntries' | 'log' | 'count'>>;

export type ConnectedGateway = {
  readonly gateway: Gateway;
  readonly database: Database;
  readonly admission: Admission;
  readonly close: () => Promise<void>;
};

/**
 * Connects a backend service to the ledger and to Temporal.
 * Temporal may be away: claims are accepted all the same, and upkeep starts them.
 * @throws when PostgreSQL cannot be reached
 */
export async function connectGateway(options: GatewayOptions): Promise<ConnectedGateway> {
  const { databaseUrl, temporalAddress, namespace = 'default', taskQueue = 'hapax', ...given } = options;
  const connection = Connection.lazy({ address: temporalAddress });
  const database = new Database(databaseUrl, 'hapax_app');
  const news = new SettledNews(databaseUrl, () => newsChannel(database));
  await news.listen();
  const arrivals = new Arrivals(database);
  const log = given.log ?? ((message: string, error: unknown) => console.warn(message, error));
  // A connection of its own: behind the claims of a crowd it would learn of the crowd too late.
  const counting = new Database(databaseUrl, 'hapax_app', 1);
  const admission = new Admission({ look: () => workInHand(counting), hear: (ended) => news.hear(ended), log });
  const gateway = new Gateway({
    database,
    admission,
    workflows: new Workflows(new Client({ connection, namespace }), taskQueue),
    outcomes: new Outcomes(database, news),
    arrivals,
    ...given,
    log,
  });
  return {
    gateway,
    database,
    admission,
    async close() {
      admission.close();
      await arrivals.close();
      await news.close();
      await connection.close();
      await counting.close();
      await database.close();
    },
  };
}
