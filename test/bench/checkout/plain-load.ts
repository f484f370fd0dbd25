import { Client, Connection } from '@temporalio/client';
import type { plainCheckout } from '../plain/checkout.ts';
import { answerQuestions, given } from '../stack/conversation.ts';
import type { WorkerSettings } from '../stack/worker-settings.ts';
import { cartOf, type Load, runLoad } from './load.ts';

/** The plain side's caller: a backend service with Temporal's own client. */
const settings = given<WorkerSettings>();
const connection = await Connection.connect({ address: settings.temporalAddress });
const client = new Client({ connection });

const pay = async (name: string): Promise<void> => {
  await client.workflow.execute<typeof plainCheckout>('plainCheckout', {
    workflowId: name,
    taskQueue: settings.taskQueue,
    args: [cartOf(name)],
  });
};

// This caller never speaks to PostgreSQL.
answerQuestions({ load: (load: Load) => runLoad(load, pay), statements: () => 0 }, () => connection.close());
