import { startUpkeep } from '../../../workers/upkeep.ts';
import { startHapax } from '../checkout/sides.ts';
import type { Figure } from '../measure/figure.ts';
import { median } from '../measure/statistics.ts';
import type { Part } from '../part.ts';
import { startHttpDoor } from '../stack/http-door.ts';
import { benchConfig } from '../stack/settings.ts';
import { type Shop, tailOfAuthenticated, tailOfPlain } from './checkout-tails.ts';

/** Checkouts of each kind in a round. They take turns, so that a noisy second falls on both. */
const pairs = 20;
/** Code that has run some dozen times is compiled, and connections are open. */
const warmUp = 20;

/** Milliseconds of each checkout. */
type Round = { readonly plain: readonly number[]; readonly authenticated: readonly number[] };

/**
 * What a wait for a webhook costs: the time from the delivery of the event that ends the wait to the settled answer, beside
 * the time from the authorisation to the settled answer of a checkout that does not wait. Both have the capture and the
 * receipt; only the first has the event's row, its handler, the signal, and the question to the bank.
 */
export const waitingPart: Part = async ({ servers, rounds: count, say }) => {
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
  const door = await startHttpDoor(servers, hapax.taskQueue, 100_000);
  const shop: Shop = { door: door.url, sandbox: servers.sandbox.url };
  const rounds: Round[] = [];
  try {
    await runRound(shop, 'waiting-warm', warmUp);
    for (let number = 0; number < count; number += 1) {
      rounds.push(await runRound(shop, `waiting-${number}`, pairs));
      say(`waiting: round ${number + 1} of ${count}`);
    }
    return { figures: figuresOf(rounds), raw: rounds };
  } finally {
    await door.stop();
    await upkeep.stop();
    await hapax.stop();
  }
};

async function runRound(shop: Shop, name: string, each: number): Promise<Round> {
  const [plain, authenticated]: [number[], number[]] = [[], []];
  for (let n = 0; n < each; n += 1) {
    plain.push(await tailOfPlain(shop, `${name}-plain-${n}`));
    authenticated.push(await tailOfAuthenticated(shop, `${name}-asks-${n}`));
  }
  return { plain, authenticated };
}

function figuresOf(rounds: readonly Round[]): Figure[] {
  const of = (pick: (round: Round) => number) => median(rounds.map(pick));
  return [
    {
      name: 'what a wait for its webhook adds to a checkout, p50',
      unit: 'ms',
      value: of(({ plain, authenticated }) => median(authenticated) - median(plain)),
      target: { atMost: 60 },
    },
    { name: '  event delivered to settled', unit: 'ms', value: of(({ authenticated }) => median(authenticated)) },
    { name: '  authorised to settled, without a wait', unit: 'ms', value: of(({ plain }) => median(plain)) },
  ];
}
