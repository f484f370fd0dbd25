import { once } from 'node:events';
import { createWriteStream } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import pg from 'pg';
import Stripe from 'stripe';
import { reconcile } from '../../../activities/reconcile/reconcile.ts';
import { stripeProvider } from '../../../activities/stores/payments/stripe/stripe-provider.ts';
import { Database } from '../../../activities/stores/postgres/database.ts';
import type { Figure } from '../measure/figure.ts';
import type { Part } from '../part.ts';

setFlagsFromString('--expose_gc');
const collect = runInNewContext('gc') as () => void;

const payments = 100_000;
/** Minor units of each. */
const amount = 2_500;
const at = Date.parse('2026-11-01T00:00:00Z');

/**
 * Our books beside a provider's ledger of a hundred thousand payments: first with every fee still to be booked, as where no
 * event has told of them, then with nothing to do.
 */
export const reconcilePart: Part = async ({ servers, say }) => {
  const directory = join(servers.root, 'ledger');
  await writeLedger(directory);
  const sandbox = await servers.startSandbox('ledger');
  const database = new Database(servers.postgres.url, 'hapax_upkeep', 2);
  const { hostname, port } = new URL(sandbox.url);
  const stripe = new Stripe('sk_test_bench', {
    host: hostname,
    port: Number(port),
    protocol: 'http',
    telemetry: false,
  });
  try {
    await bookCaptures(servers.postgres.url);
    const runs = [];
    for (const what of ['fees to book', 'nothing to do']) {
      const run = await timed(() => reconcileAll(database, stripe));
      say(`reconcile: ${what}: ${run.seconds.toFixed(1)} s, ${run.done.booked} booked, memory + ${run.grown} MiB`);
      runs.push({ what, ...run });
    }
    const figures: Figure[] = runs.flatMap(({ what, seconds, grown }) => [
      { name: `reconciler, 100,000 payments, ${what}`, unit: 's', value: seconds, target: { atMost: 60 } },
      { name: `its memory grown meanwhile, ${what}`, unit: 'MiB', value: grown, target: { atMost: 8 } },
    ]);
    return { figures, raw: runs };
  } finally {
    await Promise.all([sandbox.stop(), database.close()]);
  }
};

/** What is held, without what the next collection takes away. */
function heldNow(): number {
  collect();
  return process.memoryUsage().heapUsed;
}

async function reconcileAll(database: Database, stripe: Stripe) {
  const held: number[] = [];
  const done = await reconcile(
    { database, provider: stripeProvider(stripe) },
    {
      from: new Date(at - 1_000).toISOString(),
      progress: ({ movements }) => {
        if (movements % 20_000 === 0) held.push(heldNow());
      },
    },
  );
  const [first = 0] = held;
  return { done, grown: Math.max(0, Math.round((Math.max(...held) - first) / 1024 / 1024)) };
}

async function timed<T extends object>(work: () => Promise<T>): Promise<T & { readonly seconds: number }> {
  const since = performance.now();
  return { ...(await work()), seconds: (performance.now() - since) / 1_000 };
}

/** The sandbox's journal, as so many captured payments leave it. */
async function writeLedger(directory: string): Promise<void> {
  await mkdir(directory, { recursive: true });
  const file = createWriteStream(join(directory, 'journal.jsonl'));
  for (let n = 0; n < payments; n += 1) {
    const id = `pi_bench${n}`;
    const metadata = { tenant: 'alpha', operation: `op_bench${n}`, order: `ord_bench${n}` };
    const intent = {
      ...{
        id,
        clientSecret: '',
        created: Math.floor(at / 1_000),
        amount,
        currency: 'eur',
        captureMethod: 'manual',
        metadata,
      },
      ...{ description: null, receiptEmail: null, customer: null, returnUrl: null },
      state: { status: 'succeeded', method: 'pm_card_visa', charge: `ch_bench${n}`, received: amount },
    };
    const effect = {
      ...{
        type: 'payment_intent.captured',
        amount,
        currency: 'eur',
        operation: metadata.operation,
        idempotencyKey: null,
      },
      ...{ requestId: `req_${n}`, at: new Date(at + n).toISOString(), metadata, object: id, paymentIntent: id },
    };
    const line = {
      ...{
        at: at + n,
        requestId: `req_${n}`,
        path: '/v1/payment_intents',
        key: null,
        answer: { status: 200, body: '' },
      },
      ...{ paymentIntents: [intent], refunds: [], effects: [effect] },
    };
    if (!file.write(`${JSON.stringify(line)}\n`)) await once(file, 'drain');
  }
  file.end();
  await once(file, 'finish');
}

/** What the checkouts of those payments have booked. */
async function bookCaptures(url: string): Promise<void> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  try {
    await book(client);
  } finally {
    await client.end();
  }
}

async function book(client: pg.Client): Promise<void> {
  await client.query(
    `insert into hapax.customer_order (
       id, tenant, environment, operation_id, cart_id, state, amount_minor, currency, payment_intent, paid_at)
     select 'ord_bench' || n, 'alpha', 'test', 'op_bench' || n, 'cart-bench' || n, 'paid', $2, 'eur', 'pi_bench' || n, now()
     from generate_series(0, $1 - 1) n`,
    [payments, amount],
  );
  await client.query(
    `insert into hapax.money_fact (
       provider, object, kind, tenant, environment, amount_minor, currency, payment, order_id, operation_id, happened_at)
     select 'stripe', 'pi_bench' || n, 'captured', 'alpha', 'test', $2, 'eur', 'pi_bench' || n, 'ord_bench' || n, 'op_bench' || n, $3
     from generate_series(0, $1 - 1) n`,
    [payments, amount, new Date(at)],
  );
  await client.query('analyze hapax.money_fact, hapax.customer_order');
}
