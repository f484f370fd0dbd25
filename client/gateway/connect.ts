import { Client, Connection } from '@temporalio/client';
import type { PayloadCodec } from '@temporalio/common';
import { Database } from '../../activities/stores/postgres/database.ts';
import { groundFaultOf, type Proof } from '../../activities/stores/postgres/ground/proof.ts';
import { proveServer } from '../../activities/stores/postgres/ground/prove-server.ts';
import { newsChannel, sendProbe } from '../../activities/stores/postgres/news-channel.ts';
import { raiseEpoch, readCopyTerms } from '../../activities/stores/postgres/dedup/copy-terms.ts';
import { workInHand } from '../../activities/stores/postgres/ledger/work-in-hand.ts';
import { RedisConnection } from '../../activities/stores/redis/redis-connection.ts';
import { milliseconds } from '../../workflows/operation/duration.ts';
import { KeyRing } from '../../activities/seal/key-ring.ts';
import { convertedBy } from '../../activities/seal/payload-codec.ts';
import { Seals } from '../../activities/seal/seals.ts';
import { SlowHashes } from '../../activities/seal/slow-hashes.ts';
import { Gateway } from '../gateway.ts';
import type { GatewayParts } from './gateway-parts.ts';
import { Admission } from './admission.ts';
import { AnswerEpoch } from './answer-epoch.ts';
import { CopiedAnswers, type CopyLook } from './copied-answers.ts';
import { KeyAttempts } from './key-attempts.ts';
import { OperationChanges } from './operation-changes.ts';
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
  /** How often a key may be asked for in a minute while its operation is open; by default as often as one likes. */
  readonly asksPerKey?: number;
  /** Where processes share copies of settled answers, such as `redis://127.0.0.1:6379`; by default they share none. */
  readonly redisUrl?: string | undefined;
  /** Called for each look for such a copy. */
  readonly countCopy?: (look: CopyLook) => void;
  /** Makes what flows without a workflow do in their claims; by default there are none. */
  readonly inClaim?: (database: Database) => GatewayParts['inClaim'];
  /** `HAPAX_SEAL_KEYS` of the deployment, for flows that seal fields, such as the e-mail address of a checkout. */
  readonly sealKeys?: string;
  /** Encrypts what Temporal keeps, as `HAPAX_PAYLOAD_CODEC` says of the deployment; by default it is readable there. */
  readonly payloadCodec?: PayloadCodec | undefined;
} & Partial<Pick<GatewayParts, 'cacheEntries' | 'log' | 'count' | 'terms' | 'seals'>>;

/**
 * A copy in Redis has to be faster than PostgreSQL, which answers within a few milliseconds. On one network Redis takes
 * less than one; beyond this it is not worth waiting for.
 */
const redisWithin = milliseconds(20);

export type ConnectedGateway = {
  readonly gateway: Gateway;
  readonly database: Database;
  readonly admission: Admission;
  /** Tells which operations have changed. */
  readonly changes: OperationChanges;
  /** The proofs of what the ledger depends on, from the start and from the newest connection. */
  readonly proofs: () => readonly Proof[];
  /** Calls back when an event has to be handled, as far as news arrives. */
  readonly hearEvents: (callback: () => void) => void;
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
  const {
    databaseUrl,
    temporalAddress,
    namespace = 'default',
    taskQueue = 'hapax',
    inClaim,
    asksPerKey,
    redisUrl,
    countCopy,
    sealKeys,
    payloadCodec,
    ...given
  } = options;
  const connection = Connection.lazy({ address: temporalAddress });
  const database = new Database(databaseUrl, 'hapax_app');
  const news = new SettledNews({
    url: databaseUrl,
    channel: () => newsChannel(database),
    probe: (channel, token) => sendProbe(database, channel, token),
  });
  const { server, terms } = await proveServer(database)
    .then(async (proofs) => {
      await news.listen();
      return { server: proofs, terms: await readCopyTerms(database) };
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
  const epoch = new AnswerEpoch({
    begun: terms.epoch,
    read: async () => (await readCopyTerms(counting)).epoch,
    raise: (least) => raiseEpoch(counting, least),
    hear: (callback) => news.hearEpochs(callback),
  });
  const changes = OperationChanges.of(database, news);
  const redis = redisUrl === undefined ? undefined : new RedisConnection(redisUrl, { within: redisWithin, log });
  const gateway = new Gateway({
    database,
    admission,
    epoch,
    ...(redis === undefined ? {} : { copies: new CopiedAnswers({ redis, secret: terms.secret, count: countCopy }) }),
    workflows: new Workflows(new Client({ connection, namespace, ...convertedBy(payloadCodec) }), taskQueue),
    outcomes: new Outcomes(database, news),
    seen,
    hashes: new SlowHashes(),
    ...(sealKeys === undefined ? {} : { seals: new Seals(KeyRing.read(sealKeys)) }),
    ...given,
    inClaim: inClaim?.(database),
    ...(asksPerKey === undefined ? {} : { attempts: new KeyAttempts(asksPerKey) }),
    log,
  });
  return {
    gateway,
    database,
    admission,
    changes,
    hearEvents: (callback) => news.hearEvents(callback),
    proofs: () => [...database.proofs, ...server, news.proof],
    async close() {
      admission.close();
      changes.close();
      epoch.close();
      redis?.close();
      await seen.close();
      await news.close();
      await connection.close();
      await counting.close();
      await database.close();
    },
  };
}
