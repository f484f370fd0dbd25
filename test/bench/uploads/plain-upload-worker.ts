import { DefaultLogger, NativeConnection, Runtime, Worker } from '@temporalio/worker';
import pg from 'pg';
import { openObjectStore } from '../../../activities/stores/s3/object-store.ts';
import { answerQuestions, given } from '../stack/conversation.ts';
import { plainSteps } from './plain-steps.ts';

export type PlainSettings = {
  readonly databaseUrl: string;
  readonly temporalAddress: string;
  readonly taskQueue: string;
  readonly bundle: string;
  readonly store: Parameters<typeof openObjectStore>[0];
};

/** The plain side's worker, with as many slots as ours. */
const settings = given<PlainSettings>();
Runtime.install({ logger: new DefaultLogger('WARN') });
const pool = new pg.Pool({ connectionString: settings.databaseUrl, max: 24 });
const store = openObjectStore(settings.store);
const connection = await NativeConnection.connect({ address: settings.temporalAddress });
const worker = await Worker.create({
  connection,
  taskQueue: settings.taskQueue,
  workflowBundle: { codePath: settings.bundle },
  activities: plainSteps(pool, store),
  maxConcurrentWorkflowTaskExecutions: 40,
  maxConcurrentActivityTaskExecutions: 80,
  maxCachedWorkflows: 500,
});
const running = worker.run();
answerQuestions({}, async () => {
  worker.shutdown();
  await running;
  await connection.close();
  store.close();
  await pool.end();
});
