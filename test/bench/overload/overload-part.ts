import { fileURLToPath } from 'node:url';
import { startUpkeep } from '../../../workers/upkeep.ts';
import { startHapax } from '../checkout/sides.ts';
import { median, percentile } from '../measure/statistics.ts';
import type { Part } from '../part.ts';
import { type Partner, startPartner } from '../stack/conversation.ts';
import { type HttpDoor, startHttpDoor } from '../stack/http-door.ts';
import type { Servers } from '../stack/servers.ts';
import { benchConfig } from '../stack/settings.ts';
import type { Answer, Crowd } from './crowd.ts';
import { lostCheckouts } from './lost-checkouts.ts';

const program = fileURLToPath(new URL('./crowd.ts', import.meta.url));

/** The load that saturates is the least of these whose goodput is within 5 % of the best. */
const loads = [20, 40, 80] as const;
const nearlyAll = 0.95;
const tenfold = 10;
/** Seconds: some hundred checkouts at each load, and long enough under the tenfold one for a queue to stand. */
const seconds = { alone: 3, saturated: 6, runUp: 4, overloaded: 15, after: 12 };
/** Normal is a median of so many operations within this much of the one before. */
const normal = { operations: 5, within: 1.5 };

type Load = { readonly clients: number; readonly goodput: number; readonly p99: number };
type Round = {
  readonly peak: number;
  readonly saturated: Load;
  readonly overloaded: Load;
  readonly refused: number;
  readonly gaveUp: number;
  readonly lost: number;
  /** Seconds until an operation alone takes as long as before. */
  readonly back: number;
};

/** Ten times the load that saturates: what is refused, and what becomes of what is not. */
export const overloadPart: Part = async ({ servers, rounds: count, say }) => {
  const hapax = await startHapax(servers);
  const upkeep = await startUpkeep(
    benchConfig({
      databaseUrl: servers.postgres.url,
      temporalAddress: servers.temporal.address,
      stripe: servers.sandbox.url,
      taskQueue: hapax.taskQueue,
      bundle: '',
    }),
  );
  const load = await startPartner(program, null);
  const door = await startHttpDoor(servers, hapax.taskQueue, 100_000);
  const rounds: Round[] = [];
  try {
    await ask(load, { door: door.url, name: 'overload-warm', clients: 20, seconds: seconds.alone });
    for (let number = 0; number < count; number += 1) {
      rounds.push(await runRound(servers, load, door, `overload-${number}`));
      say(`overload: round ${number + 1} of ${count}`);
    }
    const of = (pick: (round: Round) => number): number => median(rounds.map(pick));
    return {
      figures: [
        {
          name: 'goodput at 10 × the load that saturates, of the peak',
          unit: '×',
          value: of(({ overloaded, peak }) => overloaded.goodput / peak),
          target: { atLeast: 0.9 },
        },
        { name: '  peak', unit: '/s', value: of(({ peak }) => peak) },
        { name: '  clients that saturate', unit: '', value: of(({ saturated }) => saturated.clients) },
        {
          name: 'p99 of the admitted at 10 ×, of that at saturation',
          unit: '×',
          value: of(({ overloaded, saturated }) => overloaded.p99 / saturated.p99),
          target: { atMost: 2 },
        },
        { name: '  p99 at saturation', unit: 'ms', value: of(({ saturated }) => saturated.p99) },
        { name: '  left waiting (409)', unit: '', value: Math.max(...rounds.map(({ gaveUp }) => gaveUp)) },
        {
          name: 'accepted at 10 × and lost, or not charged once',
          unit: '',
          value: Math.max(...rounds.map(({ lost }) => lost)),
          target: { atMost: 0 },
        },
        { name: 'back to normal after it', unit: 's', value: of(({ back }) => back), target: { atMost: 10 } },
      ],
      raw: rounds,
    };
  } finally {
    await Promise.all([load.stop(), door.stop()]);
    await upkeep.stop();
    await hapax.stop();
  }
};

async function runRound(servers: Servers, load: Partner, { url: door }: HttpDoor, name: string): Promise<Round> {
  const before = await ask(load, { door, name: `${name}-before`, clients: 1, seconds: seconds.alone });
  const alone = median(took(before));
  const steady: Load[] = [];
  for (const clients of loads)
    steady.push(
      judge(
        clients,
        seconds.saturated,
        await ask(load, { door, name: `${name}-${clients}`, clients, seconds: seconds.saturated }),
      ),
    );
  const peak = Math.max(...steady.map(({ goodput }) => goodput));
  const saturated = steady.find(({ goodput }) => goodput >= peak * nearlyAll) as Load;
  const clients = saturated.clients * tenfold;
  const runUp = { clients: saturated.clients, seconds: seconds.runUp };
  const crowded = await ask(load, { door, name: `${name}-tenfold`, clients, seconds: seconds.overloaded, runUp });
  const after = await ask(load, { door, name: `${name}-after`, clients: 1, seconds: seconds.after });
  const within = crowded.filter(({ sent }) => sent >= 0);
  return {
    peak,
    saturated,
    overloaded: judge(clients, seconds.overloaded, within),
    refused: within.filter(({ status }) => status === 503).length,
    gaveUp: within.filter(({ status }) => status === 409).length,
    lost: await lostCheckouts(servers, `${name}-tenfold`, crowded),
    back: backAfter(after, alone),
  };
}

async function ask(load: Partner, crowd: Crowd): Promise<readonly Answer[]> {
  return await load.ask<readonly Answer[]>('crowd', crowd);
}

function took(answers: readonly Answer[]): number[] {
  return answers.filter(({ status }) => status === 201).map(({ sent, came }) => came - sent);
}

/** Goodput is what ends while the load lasts. */
function judge(clients: number, lasts: number, answers: readonly Answer[]): Load {
  const good = answers.filter(({ status, came }) => status === 201 && came <= lasts * 1_000);
  return { clients, goodput: good.length / lasts, p99: percentile(took(answers), 0.99) };
}

function backAfter(answers: readonly Answer[], alone: number): number {
  const { operations, within } = normal;
  for (let n = 0; n + operations <= answers.length; n += 1) {
    const some = took(answers.slice(n, n + operations));
    if (some.length === operations && median(some) <= alone * within) return (answers[n]?.sent ?? 0) / 1_000;
  }
  return Number.POSITIVE_INFINITY;
}
