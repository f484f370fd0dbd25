import { Client, Connection } from '@temporalio/client';
import { Database } from '../../activities/stores/postgres/database.ts';
import { groundFaultOf, type Proof } from '../../activities/stores/postgres/ground/proof.ts';
import { proveServer } from '../../activities/stores/postgres/ground/prove-server.ts';
import { newsChannel, sendProbe } from '../../activities/stores/postgres/news-channel.ts';
import { workInHand } from '../../activities/stores/postgres/ledger/work-in-hand.ts';
import { Gateway, type GatewayParts } from '../gateway.ts';
import { Admission } from './admission.ts';
import { SeenRequests } from './seen-requests.ts';
import { Outcomes } from './outcomes.ts';
import { SettledNews } from './settled-news.ts';
import { Workflows } from './workflows.ts';

type GatewayOptions = {
  readonly databaseUrl: string;
  readonly temporalAddress: string;
  /** Default `default`. */
  readonly namespace?: string;
  /** Where the operations worker listens. Default `hapax`. */
  readonly taskQueue?: string;
} & Partial<Pick<GatewayParts, 'cacheEntries' | 'log' | 'count' | 'terms'>>;

export type ConnectedGateway = {
  readonly gateway: Gateway;
  readonly database: Database;
  readonly admission: Admission;
  /** The proofs of what the ledger depends on, from the start and from the newest connection. */
  readonly proofs: () => readonly Proof[];
  readonly close: () => Promise<void>;
};

/**
 * Connects a backend service to the ledger and to Temporal. Temporal may be unavailable: claims are accepted all the
 * same, and upkeep starts them later.
 * @throws GroundFault when PostgreSQL, or a pooler in front of it, lacks something that the ledger depends on
 * @throws LedgerFault when PostgreSQL cannot be reached
 * @example const { gateway, close } = await connectGateway({ databaseUrl, temporalAddress: 'localhost:7233' })
 */
export async function connectGateway(options: GatewayOptions): Promise<ConnectedGateway> {
  const { databaseUrl, temporalAddress, namespace = 'default', taskQueue = 'hapax', ...given } = options;
  const connection = Connection.lazy({ address: temporalAddress });
  const database = new Database(databaseUrl, 'hapax_app');
  const news = new SettledNews({
    url: databaseUrl,
    channel: () => newsChannel(database),
    probe: (channel, token) => sendProbe(database, channel, token),
  });
  const server = await proveServer(database)
    .then(async (proofs) => {
      await news.listen();
      return proofs;
    })
    .catch(async (error: unknown) => {
      await Promise.all([news.close(), database.close(), connection.close()]);
      throw groundFaultOf(error) ?? error;
    });
  const seen = new SeenRequests(database);
  const log = given.log ?? ((message: string, error: unknown) => console.warn(message, error));
  // A connection of its own: queued behind the claims of a crowd, the count would learn of the crowd too late.
  const counting = new Database(databaseUrl, 'hapax_app', 1);
  const admission = new Admission({ look: () => workInHand(counting), hear: (ended) => news.hear(ended), log });
  const gateway = new Gateway({
    database,
    admission,
    workflows: new Workflows(new Client({ connection, namespace }), taskQueue),
    outcomes: new Outcomes(database, news),
    seen,
    ...given,
    log,
  });
  return {
    gateway,
    database,
    admission,
    proofs: () => [...database.proofs, ...server, news.proof],
    async close() {
      admission.close();
      await seen.close();
      await news.close();
      await connection.close();
      await counting.close();
      await database.close();
    },
  };
}
