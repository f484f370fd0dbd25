import { expect, it, onTestFinished, vi } from 'vitest';
import type { Outlet } from '../../activities/delivery/outlet.ts';
import { HeldBack } from '../../activities/stores/outcomes/held-back.ts';
import type { Delivery } from '../../activities/stores/postgres/outbox/due-deliveries.ts';
import type { Busy } from '../../activities/stores/postgres/outbox/due-webhooks.ts';
import { DeliveryLoop, type DeliveryRows } from '../../workers/delivery-loop.ts';
import { createLogger } from '../../workers/logger.ts';
import { days, seconds } from '../../workflows/operation/duration.ts';

const forEach = 4;
/** Milliseconds. Less than the looks alone would take. */
const soon = { timeout: 20_000, interval: 10 };

function webhook(endpoint: string, n: number): Delivery {
  return {
    ...{ id: `dl_${endpoint}_${n}`, fence: 1n, mayHaveLeft: undefined, tries: 1, dueFor: 0 },
    message: {
      ...{
        id: `msg_${n}`,
        tenant: 'alpha',
        environment: 'test',
        channel: 'webhook',
        about: 'ast_1',
        operation: 'op_1',
      },
      ...{ type: 'a', payload: {}, occurredAt: new Date(0) },
    },
    webhook: {
      ...{ endpoint, url: 'https://shop.example.com/', disabled: false, deleted: false, secrets: [] },
      event: { aggregate: 'asset', sequence: n, cause: null },
    },
  };
}

/** What is due for each endpoint, given as PostgreSQL gives it. */
function due(counts: Readonly<Record<string, number>>) {
  const left = new Map(Object.entries(counts).map(([endpoint, count]) => [endpoint, range(endpoint, count)]));
  const ended: string[] = [];
  const asked: Busy[] = [];
  const rows: DeliveryRows = {
    async take(_channels, atMost, busy) {
      asked.push(busy);
      const given = [...left].flatMap(([endpoint, some]) =>
        some.splice(0, Math.max(0, forEach - (busy.get(endpoint) ?? 0))),
      );
      return given.slice(0, atMost);
    },
    keep: async (held) => new Set(held.map(({ id }) => id)),
    begin: async () => true,
    end: async ({ id }, { state }) => void ended.push(`${id} ${state}`),
  };
  return { rows, ended, asked };
}

const range = (endpoint: string, count: number) => Array.from({ length: count }, (_, n) => webhook(endpoint, n));

function started(rows: DeliveryRows, send: (endpoint: string) => Promise<void>): void {
  const outlet = ({ webhook: to }: Delivery): Outlet => ({
    ...{ called: 'the receiver', place: 'we_1', knowsIdsFor: Number.POSITIVE_INFINITY, longestSend: seconds(15) },
    guard: async ({ signal }, make) => await make(signal),
    declared: () => ({ repeats: 'at_least_once', patience: days(3) }),
    write: () => async () => await send(to?.endpoint ?? ''),
  });
  const loop = new DeliveryLoop({
    ...{ rows, atOnce: 32, forEach, outlets: new Map([['webhook', outlet]]) },
    log: createLogger('mail', 'silent'),
    count: () => undefined,
  });
  onTestFinished(() => loop.stop());
}

it('an endpoint that answers gets its next as soon as one of its places is free', async () => {
  const { rows, ended } = due({ we_good: 200 });
  started(rows, async () => undefined);
  // By the looks of each half second alone these would take 25 s.
  await vi.waitUntil(() => ended.length === 200, soon);
});

it('an endpoint that hangs keeps its places and no other one’s', async () => {
  const { rows, ended } = due({ we_hangs: 100, we_good: 40 });
  const over = Promise.withResolvers<void>();
  let hanging = 0;
  started(rows, async (endpoint) => {
    if (endpoint !== 'we_hangs') return;
    hanging += 1;
    await over.promise;
  });
  await vi.waitUntil(() => ended.length === 40, soon);
  expect(hanging).toBe(forEach);
  over.resolve();
});

it('an endpoint that is left alone is not asked for before its time', async () => {
  const { rows, asked } = due({ we_dead: 100 });
  let tried = 0;
  started(rows, async () => {
    tried += 1;
    throw new HeldBack('left alone', seconds(60));
  });
  await vi.waitUntil(() => asked.length >= 4, soon);
  expect([tried, asked.at(-1)?.get('we_dead')]).toEqual([forEach, forEach]);
});
