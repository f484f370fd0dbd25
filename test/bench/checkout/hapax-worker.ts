import { DefaultLogger, Runtime } from '@temporalio/worker';
import type { Database } from '../../../activities/stores/postgres/database.ts';
import { startOperations } from '../../../workers/operations.ts';
import { answerQuestions, given } from '../stack/conversation.ts';
import { benchConfig } from '../stack/settings.ts';
import type { WorkerSettings } from '../stack/worker-settings.ts';

/** The operations worker as it stands, in a process of its own, which also says how often it waited for PostgreSQL. */
const settings = given<WorkerSettings>();
Runtime.install({ logger: new DefaultLogger('WARN') });
let all: Database | undefined;
let domainsOwn = 0;
const running = await startOperations(benchConfig(settings), (own) => {
  all = own.database;
  countDomainsOwn(own.database);
  return own;
});

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
