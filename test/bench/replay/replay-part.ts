import { fileURLToPath } from 'node:url';
import { startHapax } from '../checkout/sides.ts';
import type { Figure } from '../measure/figure.ts';
import { median, percentile } from '../measure/statistics.ts';
import type { Part } from '../part.ts';
import { checkoutRequest, type HttpRequest } from '../stack/checkout-request.ts';
import { startPartner } from '../stack/conversation.ts';
import { bareRoute, flowRoute, type HttpDoor, startHttpDoor } from '../stack/http-door.ts';
import type { Cannonade, Hits } from './http-load.ts';

const program = fileURLToPath(new URL('./http-load.ts', import.meta.url));

/** As the target says; a browser opens 6. */
const connections = 8;
/** Some thousand answers of each kind in each round. */
const seconds = 2;

type Pair = { readonly bare: Hits; readonly replay: Hits };

/** Replays of settled keys over HTTP, beside a bare route of the same server. */
export const replayPart: Part = async ({ servers, rounds, say }) => {
  const hapax = await startHapax(servers);
  const load = await startPartner(program, null);
  const remembering = await startHttpDoor(servers, hapax.taskQueue, 100_000);
  const forgetful = await startHttpDoor(servers, hapax.taskQueue, 0);
  const doors = { memory: remembering, ledger: forgetful };
  const pairs: Record<keyof typeof doors, Pair[]> = { memory: [], ledger: [] };
  try {
    await settle(remembering);
    for (let number = -1; number < rounds; number += 1) {
      for (const name of ['memory', 'ledger'] as const) {
        const pair = await firePair(load.ask, doors[name], number);
        // The first round opens connections and has code compiled.
        if (number >= 0) pairs[name].push(pair);
      }
      if (number >= 0) say(`replay: round ${number + 1} of ${rounds}`);
    }
    return {
      figures: [...figures('from memory', pairs.memory, 0.8), ...figures('from PostgreSQL', pairs.ledger, 0.3)],
      raw: Object.fromEntries(Object.entries(pairs).map(([name, of]) => [name, of.map(summary)])),
    };
  } finally {
    await Promise.all([load.stop(), remembering.stop(), forgetful.stop()]);
    await hapax.stop();
  }
};

/** Enough that two connections rarely meet at one key, where the door would ask the ledger once for both. */
const keys = Array.from({ length: 96 }, (_, n) => `replayed-${n}`);

async function settle(door: HttpDoor): Promise<void> {
  for (const key of keys) {
    const { url, ...request } = checkoutRequest(door.url, flowRoute, key);
    const answer = await fetch(url, request);
    if (answer.status !== 201) throw new Error(`The checkout ended with ${answer.status}: ${await answer.text()}`);
  }
}

async function firePair(
  ask: <Value>(question: string, argument: unknown) => Promise<Value>,
  door: HttpDoor,
  number: number,
): Promise<Pair> {
  const fire = (route: string): Promise<Hits> =>
    ask<Hits>('fire', {
      requests: keys.map((key) => checkoutRequest(door.url, route, key)) as [HttpRequest, ...HttpRequest[]],
      connections,
      seconds,
    } satisfies Cannonade);
  if (number % 2 === 0) {
    const bare = await fire(bareRoute);
    return { bare, replay: await fire(flowRoute) };
  }
  const replay = await fire(flowRoute);
  return { bare: await fire(bareRoute), replay };
}

function figures(from: string, pairs: readonly Pair[], atLeast: number): Figure[] {
  return [
    {
      name: `replays ${from}, of a bare route’s rate`,
      unit: '×',
      value: median(pairs.map(({ bare, replay }) => replay.perSecond / bare.perSecond)),
      target: { atLeast },
    },
    { name: '  replays', unit: '/s', value: median(pairs.map(({ replay }) => replay.perSecond)) },
    { name: '  bare route', unit: '/s', value: median(pairs.map(({ bare }) => bare.perSecond)) },
    {
      name: `replays ${from}, p50`,
      unit: 'ms',
      value: median(pairs.map(({ replay }) => percentile(replay.latencies, 0.5))),
      target: { atMost: 3 },
    },
  ];
}

/** Ten thousands of latencies a round are of no use in a file. */
function summary({ bare, replay }: Pair) {
  const of = ({ perSecond, latencies }: Hits) => ({
    perSecond,
    p50: percentile(latencies, 0.5),
    p95: percentile(latencies, 0.95),
    answers: latencies.length,
  });
  return { bare: of(bare), replay: of(replay) };
}
