import { Client, Connection } from '@temporalio/client';
import { Database } from '../../activities/stores/postgres/database.ts';
import { newsChannel } from '../../activities/stores/postgres/news-channel.ts';
import { Gateway, type GatewayParts } from '../gateway.ts';
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
  const gateway = new Gateway({
    database,
    workflows: new Workflows(new Client({ connection, namespace }), taskQueue),
    outcomes: new Outcomes(database, news),
    arrivals,
    log: (message, error) => console.warn(message, error),
    ...given,
  });
  return {
    gateway,
    database,
    async close() {
      await arrivals.close();
      await news.close();
      await connection.close();
      await database.close();
    },
  };
}
