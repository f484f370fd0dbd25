import pg from 'pg';
import type { Servers } from '../stack/servers.ts';
import type { Answer } from './crowd.ts';

/** What is open ends by itself; past its patience it would have been undone. Looks, one each 250 ms. */
const looks = 240;

/**
 * How many checkouts were accepted and lost, or ended otherwise than paid, or were charged otherwise than once: by the
 * ledger and the payment provider's book.
 */
export async function lostCheckouts(servers: Servers, name: string, answers: readonly Answer[]): Promise<number> {
  const client = new pg.Client({ connectionString: servers.postgres.url });
  await client.connect();
  try {
    const rows = async () =>
      (
        await client.query<{ id: string; key: string; state: string }>(
          `select id, key, state from hapax.operation where key like $1`,
          [`${name}-%`],
        )
      ).rows;
    let found = await rows();
    for (let look = 0; look < looks && found.some(({ state }) => state !== 'succeeded'); look += 1) {
      await new Promise((resolve) => setTimeout(resolve, 250));
      found = await rows();
    }
    const charges = await countCharges(servers);
    const unpaid = found.filter(({ id, state }) => state !== 'succeeded' || charges.get(id) !== 1);
    const known = new Set(found.map(({ key }) => key));
    const accepted = new Set(answers.filter(({ status }) => status !== 503).map(({ key }) => key));
    return unpaid.length + [...accepted].filter((key) => !known.has(key)).length;
  } finally {
    await client.end();
  }
}

async function countCharges(servers: Servers): Promise<ReadonlyMap<string, number>> {
  const response = await fetch(`${servers.sandbox.url}/_audit?type=payment_intent.captured`);
  const charges = new Map<string, number>();
  for (const { operation } of (await response.json()) as { operation: string }[])
    charges.set(operation, (charges.get(operation) ?? 0) + 1);
  return charges;
}
