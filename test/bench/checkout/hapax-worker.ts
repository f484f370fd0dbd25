import { DefaultLogger, Runtime } from '@temporalio/worker';
import type { Database } from '../../../activities/stores/postgres/database.ts';
import { startOperations } from '../../../workers/operations.ts';
import { answerQuestions, given } from '../stack/conversation.ts';
import type { WorkerSettings } from '../stack/worker-settings.ts';

/** The operations worker as it stands, in a process of its own, which also says how often it waited for PostgreSQL. */
const settings = given<WorkerSettings>();
Runtime.install({ logger: new DefaultLogger('WARN') });
let all: Database | undefined;
let domainsOwn = 0;
const running = await startOperations(
  {
    DATABASE_URL: settings.databaseUrl,
    TEMPORAL_ADDRESS: settings.temporalAddress,
    TEMPORAL_NAMESPACE: 'default',
    STRIPE_API_BASE: settings.stripe,
    STRIPE_SECRET_KEY: 'sk_test_bench',
    HAPAX_TASK_QUEUE: settings.taskQueue,
    HAPAX_WORKFLOW_BUNDLE: settings.bundle,
    HAPAX_HEALTH_PORT: 0,
    HAPAX_LOG_LEVEL: 'warn',
  },
  (own) => {
    all = own.database;
    countDomainsOwn(own.database);
    return own;
  },
);

/** The shop's own rows are written in transactions that stay open between flushes. Exact while one operation runs. */
function countDomainsOwn(database: Database): void {
  const transaction = database.transaction.bind(database);
  database.transaction = async (...given) => {
    const before = database.flushes;
    const value = await transaction(...given);
    domainsOwn += database.flushes - before;
    return value;
  };
}

answerQuestions({ flushes: () => ({ all: all?.flushes, domainsOwn }) }, () => running.stop());
