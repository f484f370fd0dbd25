import { DefaultLogger, Runtime } from '@temporalio/worker';
import type { Database } from '../../../activities/stores/postgres/database.ts';
import { startOperations } from '../../../workers/operations.ts';
import { sentStatements } from '../measure/sent-statements.ts';
import { answerQuestions, given } from '../stack/conversation.ts';
import { benchConfig } from '../stack/settings.ts';
import type { WorkerSettings } from '../stack/worker-settings.ts';

/** The operations worker as it stands, in a process of its own, which also says how often it waited for PostgreSQL. */
const settings = given<WorkerSettings>();
Runtime.install({ logger: new DefaultLogger('WARN') });
const statements = sentStatements();
let all: Database | undefined;
/** In these the shop's own rows are written. */
const domainsOwnStatements = new Set(['reserve_order', 'pay_order']);
let domainsOwn = 0;
const running = await startOperations(benchConfig(settings), (own) => {
  all = own.database;
  countDomainsOwn(own.database);
  return own;
});

function countDomainsOwn(database: Database): void {
  const flush = database.flush.bind(database);
  database.flush = async (tenant, ...statements) => {
    if (statements.some(({ name }) => domainsOwnStatements.has(name))) domainsOwn += 1;
    return await flush(tenant, ...statements);
  };
}

answerQuestions({ flushes: () => ({ all: all?.flushes, domainsOwn }), statements }, () => running.stop());
