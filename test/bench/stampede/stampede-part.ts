import { fileURLToPath } from 'node:url';
import { startHapax } from '../checkout/sides.ts';
import { median } from '../measure/statistics.ts';
import type { Part } from '../part.ts';
import { checkoutRequest } from '../stack/checkout-request.ts';
import { type Partner, startPartner } from '../stack/conversation.ts';
import { bareRoute, flowRoute, type HttpDoor, startHttpDoor } from '../stack/http-door.ts';
import type { Servers } from '../stack/servers.ts';
import { countRuns } from './count-runs.ts';
import type { Burst, Landed } from './http-burst.ts';

const program = fileURLToPath(new URL('./http-burst.ts', import.meta.url));

const crowd = 500;
/** Operations of one caller alone, before and after each stampede. */
const alone = 11;

/** Milliseconds. */
type Round = { readonly one: number; readonly bare: number; readonly stampede: number };

/** Many requests at once with one new key: one operation, whose answer all of them get. */
export const stampedePart: Part = async ({ servers, rounds: count, say }) => {
  const hapax = await startHapax(servers);
  const load = await startPartner(program, null);
  const door = await startHttpDoor(servers, hapax.taskQueue, 100_000);
  const rounds: Round[] = [];
  const runs: number[] = [];
  const charges: number[] = [];
  try {
    for (let number = -1; number < count; number += 1) {
      const bare = await fire(load, door, bareRoute, `bare-${number}`, crowd);
      const one = await oneAlone(load, door, number);
      const stampede = await fire(load, door, flowRoute, `stampede-${number}`, crowd);
      // The first round opens connections and has code compiled.
      if (number < 0) continue;
      rounds.push({ one, bare: bare.elapsed, stampede: stampede.elapsed });
      runs.push(await countRuns(servers, stampede.workflows));
      charges.push(await countCharges(servers, stampede.operation));
      say(`stampede: round ${number + 1} of ${count}`);
    }
    const of = (pick: (round: Round) => number): number => median(rounds.map(pick));
    return {
      figures: [
        { name: `${crowd} at once with one new key`, unit: 'ms', value: of(({ stampede }) => stampede) },
        { name: `  ${crowd} at once to a bare route`, unit: 'ms', value: of(({ bare }) => bare) },
        { name: '  one operation alone', unit: 'ms', value: of(({ one }) => one) },
        {
          name: 'operations’ time of a stampede, its bare HTTP apart',
          unit: '×',
          value: of(({ stampede, bare, one }) => (stampede - bare) / one),
          target: { atMost: 2 },
        },
        { name: 'workflows of a stampede', unit: '', value: Math.max(...runs), target: { atMost: 1 } },
        { name: 'charges of a stampede', unit: '', value: Math.max(...charges), target: { atMost: 1 } },
      ],
      raw: { rounds, runs, charges },
    };
  } finally {
    await Promise.all([load.stop(), door.stop()]);
    await hapax.stop();
  }
};

async function oneAlone(load: Partner, door: HttpDoor, number: number): Promise<number> {
  const times: number[] = [];
  for (let n = 0; n < alone; n += 1) times.push((await fire(load, door, flowRoute, `alone-${number}-${n}`, 1)).elapsed);
  return median(times);
}

/** @throws unless every answer is a success, and the same */
async function fire(load: Partner, door: HttpDoor, route: string, key: string, times: number): Promise<Landed> {
  const landed = await load.ask<Landed>('burst', {
    request: checkoutRequest(door.url, route, key),
    times,
  } satisfies Burst);
  if (landed.statuses[201] !== times || landed.bodies !== 1)
    throw new Error(`${route} ${key}: ${landed.bodies} bodies, statuses ${JSON.stringify(landed.statuses)}`);
  return landed;
}

async function countCharges(servers: Servers, operation: string): Promise<number> {
  const response = await fetch(`${servers.sandbox.url}/_audit?operation=${operation}`);
  const effects = (await response.json()) as { type: string }[];
  return effects.filter(({ type }) => type === 'payment_intent.captured').length;
}
