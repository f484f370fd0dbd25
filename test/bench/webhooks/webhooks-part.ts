import { fileURLToPath } from 'node:url';
import { EventHandlers } from '../../../client/events/event-handlers.ts';
import { flows } from '../../../workflows/flows.ts';
import type { Figure } from '../measure/figure.ts';
import { median, percentile } from '../measure/statistics.ts';
import type { Part } from '../part.ts';
import type { Cannonade, Hits } from '../replay/http-load.ts';
import type { HttpRequest } from '../stack/checkout-request.ts';
import { startPartner } from '../stack/conversation.ts';
import { bareInsertRoute, startHttpDoor } from '../stack/http-door.ts';
import { signedEvent } from '../stack/signed-event.ts';

const program = fileURLToPath(new URL('../replay/http-load.ts', import.meta.url));

const connections = 8;
const seconds = 1;
/** More than a round delivers, so that each is new. */
const eventsInRound = 12_000;
/** What is repeated, and has been recorded before. */
const repeatedEvents = 96;

/** What a shop's payments send most, and act on. */
const type = 'payment_intent.succeeded';
/** A row beside the event for each of them: with another number, the figure is not that of other runs. */
const handlers = 2;

const kinds = ['insert', 'fresh', 'repeated'] as const;
type Round = Readonly<Record<(typeof kinds)[number], Hits>>;

/** Deliveries of events over HTTP, beside a bare insert at the same server. Nobody handles them meanwhile. */
export const webhooksPart: Part = async ({ servers, rounds, say }) => {
  const load = await startPartner(program, null);
  const door = await startHttpDoor(servers, 'bench-nobody', 0);
  const fire = (requests: readonly HttpRequest[]) =>
    load.ask<Hits>('fire', { requests: requests as Cannonade['requests'], connections, seconds } satisfies Cannonade);
  const measured: Round[] = [];
  const heard = new EventHandlers(flows).hearing('stripe', type).length;
  if (heard !== handlers) throw new Error(`${type} has ${heard} handlers: say so in docs/measurements.md, and here.`);
  try {
    const known = Array.from({ length: repeatedEvents }, (_, n) => delivery(door.url, `evt_known_${n}`));
    for (const { url, ...request } of known) await fetch(url, request);
    for (let number = -1; number < rounds; number += 1) {
      const fresh = Array.from({ length: eventsInRound }, (_, n) => delivery(door.url, `evt_${number}_${n}`));
      const asked = { insert: fresh.map(inserted), fresh, repeated: known };
      const turn: Partial<Record<(typeof kinds)[number], Hits>> = {};
      const order = number % 2 === 0 ? kinds : kinds.toReversed();
      for (const kind of order) turn[kind] = await fire(asked[kind]);
      const round = turn as Round;
      if (round.fresh.latencies.length > eventsInRound) throw new Error('Raise eventsInRound: events were repeated.');
      // The first round opens connections and has code compiled.
      if (number >= 0) {
        measured.push(round);
        say(`webhooks: round ${number + 1} of ${rounds}`);
      }
    }
    return { figures: figuresOf(measured), raw: measured.map(summary) };
  } finally {
    await Promise.all([load.stop(), door.stop()]);
  }
};

function figuresOf(measured: readonly Round[]): Figure[] {
  const rate = (kind: 'fresh' | 'repeated') =>
    median(measured.map((round) => round[kind].perSecond / round.insert.perSecond));
  return [
    { name: 'events recorded, of a bare insert’s rate', unit: '×', value: rate('fresh'), target: { atLeast: 0.5 } },
    { name: 'repeated events, of a bare insert’s rate', unit: '×', value: rate('repeated'), target: { atLeast: 0.7 } },
    {
      name: 'an event durable, p50',
      unit: 'ms',
      value: median(measured.map(({ fresh }) => percentile(fresh.latencies, 0.5))),
      target: { atMost: 10 },
    },
  ];
}

/** As large as that of a PaymentIntent, and heard by `ship` and `credit`. */
function delivery(door: string, id: string): HttpRequest {
  const about = {
    ...{ id: `pi_${id}`, object: 'payment_intent', amount: 4_500, currency: 'eur', status: 'succeeded' },
    metadata: { operation: 'op_bench', tenant: 'alpha', order: 'ord_bench' },
    // Taken out before it is kept.
    ...{ client_secret: `pi_${id}_secret_bench`, next_action: null },
    filled: 'x'.repeat(900),
  };
  return signedEvent(door, { id, type, about });
}

function inserted({ url, body }: HttpRequest): HttpRequest {
  const headers = { 'content-type': 'application/json', authorization: 'Bearer local-alpha' };
  return { url: new URL(bareInsertRoute, url).href, method: 'POST', headers, body };
}

/** Thousands of latencies a round are of no use in a file. */
function summary(round: Round) {
  return Object.fromEntries(
    kinds.map((kind) => {
      const { perSecond, latencies } = round[kind];
      return [kind, { perSecond, p50: percentile(latencies, 0.5), p95: percentile(latencies, 0.95) }];
    }),
  );
}
