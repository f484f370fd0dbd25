import { connectGateway } from '../../client/gateway/connect.ts';
import { booksFlow } from '../../workflows/books.flow.ts';
import { replayStories, type Told } from './replay-stories.ts';

/** Longer than it takes. Milliseconds. */
const longest = 30_000;

const told: Told = async (world, key) => {
  const { json } = await world.checkout(`paid for ${key}`);
  const connected = await connectGateway({
    databaseUrl: world.databaseUrl,
    temporalAddress: world.env.TEMPORAL_ADDRESS as string,
    namespace: 'default',
    taskQueue: world.env.HAPAX_TASK_QUEUE as string,
  });
  const request = { payment: json.paymentIntent as string };
  const call = { tenant: world.tenants.alpha, environment: 'test', subject: 'default', key, request } as const;
  await connected.gateway.run(booksFlow, call, longest);
  await connected.close();
};

replayStories('books', { paid: told });
