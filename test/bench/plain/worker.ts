import { DefaultLogger, NativeConnection, Runtime, Worker } from '@temporalio/worker';
import pg from 'pg';
import Stripe from 'stripe';
import { sentStatements } from '../measure/sent-statements.ts';
import { answerQuestions, given } from '../stack/conversation.ts';
import type { WorkerSettings } from '../stack/worker-settings.ts';
import { orders } from './orders.ts';
import { payments } from './payments.ts';

/** The plain side's worker: same server, same numbers of slots and pollers, workflows bundled beforehand as well. */
const settings = given<WorkerSettings>();
Runtime.install({ logger: new DefaultLogger('WARN') });
const statements = sentStatements();
const pool = new pg.Pool({ connectionString: settings.databaseUrl, max: 24 });
const { hostname: host, port } = new URL(settings.stripe);
const stripe = new Stripe('sk_test_bench', { host, port, protocol: 'http', maxNetworkRetries: 0, telemetry: false });
const connection = await NativeConnection.connect({ address: settings.temporalAddress });
const worker = await Worker.create({
  connection,
  taskQueue: settings.taskQueue,
  workflowBundle: { codePath: settings.bundle },
  activities: {
    ...orders(pool),
    ...payments(stripe),
  },
  maxConcurrentWorkflowTaskExecutions: 40,
  maxConcurrentActivityTaskExecutions: 80,
  maxCachedWorkflows: 500,
});
const running = worker.run();
answerQuestions({ statements }, async () => {
  worker.shutdown();
  await running;
  await connection.close();
  await pool.end();
});
