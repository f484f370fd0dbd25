import { Client, Connection } from '@temporalio/client';
import { Database } from '../../../activities/stores/postgres/database.ts';
import { newsChannel, sendProbe } from '../../../activities/stores/postgres/news-channel.ts';
import { SeenRequests } from '../../../client/gateway/seen-requests.ts';
import { Outcomes } from '../../../client/gateway/outcomes.ts';
import { SettledNews } from '../../../client/gateway/settled-news.ts';
import { Workflows } from '../../../client/gateway/workflows.ts';
import { Gateway } from '../../../client/gateway.ts';
import { checkoutFlow } from '../../../workflows/checkout.flow.ts';
import { testSeals } from '../../support/seal-keys.ts';
import { sentStatements } from '../measure/sent-statements.ts';
import { answerQuestions, given } from '../stack/conversation.ts';
import type { WorkerSettings } from '../stack/worker-settings.ts';
import { cartOf, type Load, runLoad } from './load.ts';

/** Our side's caller: a backend service that goes through the gateway. */
const settings = given<WorkerSettings>();
const statements = sentStatements();
const database = new Database(settings.databaseUrl, 'hapax_app');
// SeenRequests are written in batches beside the answers: counted apart from what an operation waits for.
const seenDatabase = new Database(settings.databaseUrl, 'hapax_app', 2);
const connection = await Connection.connect({ address: settings.temporalAddress });
const news = new SettledNews({
  url: settings.databaseUrl,
  channel: () => newsChannel(seenDatabase),
  probe: (channel, token) => sendProbe(seenDatabase, channel, token),
});
await news.listen();
const seen = new SeenRequests(seenDatabase);
const parts = {
  database,
  workflows: new Workflows(new Client({ connection }), settings.taskQueue),
  outcomes: new Outcomes(database, news),
  seen,
  seals: testSeals,
  log: (message: string, error: unknown) => console.error(message, error),
};

const pay = (through: Gateway) => async (name: string) => {
  const told = await through.run(checkoutFlow, {
    tenant: 'alpha',
    environment: 'test',
    subject: 'ada',
    key: name,
    request: cartOf(name),
  });
  if (told.state !== 'succeeded') throw new Error(`${name} ended as ${told.state}`);
};
const gateway = new Gateway(parts);

answerQuestions(
  {
    load: (load: Load) => runLoad(load, pay(gateway)),
    /** The same keys again, through a gateway that remembers nothing. */
    replay: (load: Load) => runLoad(load, pay(new Gateway(parts))),
    flushes: () => database.flushes,
    statements,
  },
  async () => {
    await news.close();
    await seen.close();
    await Promise.all([database.close(), seenDatabase.close(), connection.close()]);
  },
);
