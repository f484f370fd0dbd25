import { expect, it, onTestFinished, vi } from 'vitest';
import type { Outlet } from '../../activities/delivery/outlet.ts';
import type { Handing } from '../../activities/delivery/sender.ts';
import { LedgerFault } from '../../activities/stores/postgres/ledger-fault.ts';
import type { Delivered, Delivery } from '../../activities/stores/postgres/outbox/due-deliveries.ts';
import { DeliveryLoop, type DeliveryRows } from '../../workers/delivery-loop.ts';
import { createLogger } from '../../workers/logger.ts';
import { days, minutes, seconds } from '../../workflows/operation/duration.ts';

const away = new LedgerFault('unavailable', 'away');

function delivery(n: number, fence = 1n): Delivery {
  return {
    ...{ id: `dl_${n}`, fence, mayHaveLeft: undefined, tries: 1, dueFor: 0 },
    message: {
      ...{ id: `msg_${n}`, tenant: 'alpha', environment: 'test', channel: 'mail', about: 'ord_1', operation: 'op_1' },
      ...{ type: 'a', payload: {}, occurredAt: new Date(0) },
    },
  };
}

/** Rows that are due in turn, an array for each look, and what the sender did with them. */
class Rows implements DeliveryRows {
  readonly asked: string[] = [];
  readonly ended: { readonly fence: bigint; readonly became: Delivered }[] = [];
  readonly due: Delivery[][] = [];
  /** Statements that fail from now on, by their names. */
  readonly failing = new Set<'keep' | 'end'>();
  #ask(name: string): void {
    this.asked.push(name);
    if (this.failing.has(name as 'keep')) throw away;
  }
  async take(): Promise<readonly Delivery[]> {
    this.#ask('take');
    return this.due.shift() ?? [];
  }
  async keep(held: readonly Delivery[]): Promise<ReadonlySet<string>> {
    this.#ask('keep');
    return new Set(held.map(({ id }) => id));
  }
  async begin(): Promise<boolean> {
    return true;
  }
  async end({ fence }: Delivery, became: Delivered): Promise<void> {
    this.#ask('end');
    this.ended.push({ fence, became });
  }
}

function started(rows: Rows, send: (handing: Handing) => Promise<void>): DeliveryLoop {
  const outlet: Outlet = {
    ...{ called: 'the mail server', place: 'smtp:mail.test', knowsIdsFor: 0, longestSend: minutes(10) },
    guard: async ({ signal }, make) => await make(signal),
    declared: () => ({ repeats: 'at_least_once', patience: days(3) }),
    write: () => send,
  };
  const loop = new DeliveryLoop({
    rows,
    outlets: new Map([['mail', outlet]]),
    log: createLogger('mail', 'silent'),
    count: () => undefined,
  });
  onTestFinished(() => loop.stop());
  return loop;
}

const soon = { timeout: 30_000, interval: 10 };

it('the server’s yes is told until the ledger has taken it down, and nothing is sent again meanwhile', async () => {
  const rows = new Rows();
  rows.failing.add('end');
  rows.due.push([delivery(1)]);
  let times = 0;
  started(rows, async ({ handOver }) => {
    await handOver();
    times += 1;
  });
  await vi.waitUntil(() => rows.asked.filter((name) => name === 'end').length >= 2, soon);
  rows.failing.delete('end');
  await vi.waitUntil(() => rows.ended.length > 0, soon);
  expect([times, rows.ended]).toEqual([1, [{ fence: 1n, became: { state: 'sent' } }]]);
});

it('leases that may have ended are renewed before more is taken, and without that nothing is taken', async () => {
  let late = 0;
  const clock = performance.now.bind(performance);
  vi.spyOn(performance, 'now').mockImplementation(() => clock() + late);
  onTestFinished(() => {
    vi.restoreAllMocks();
  });
  const rows = new Rows();
  rows.due.push([delivery(1)]);
  const taken = Promise.withResolvers<void>();
  started(rows, async ({ handOver }) => {
    await handOver();
    await taken.promise;
  });
  await vi.waitUntil(() => rows.due.length === 0, soon);
  rows.failing.add('keep');
  const before = rows.asked.length;
  late = seconds(12);
  await vi.waitUntil(() => rows.asked.slice(before).filter((name) => name === 'keep').length >= 2, soon);
  expect(rows.asked.slice(before)).not.toContain('take');
  rows.failing.delete('keep');
  await vi.waitUntil(() => rows.asked.slice(before).includes('take'), soon);
  taken.resolve();
});

it('a message that comes back to the sender that is sending it is not sent again, and ends under its new fence', async () => {
  const rows = new Rows();
  rows.due.push([delivery(1, 1n)], [delivery(1, 2n)]);
  const taken = Promise.withResolvers<void>();
  let times = 0;
  started(rows, async ({ handOver }) => {
    await handOver();
    times += 1;
    await taken.promise;
  });
  await vi.waitUntil(() => rows.due.length === 0, soon);
  taken.resolve();
  await vi.waitUntil(() => rows.ended.length > 0, soon);
  expect([times, rows.ended]).toEqual([1, [{ fence: 2n, became: { state: 'sent' } }]]);
});

it('a sender that is to stop gives back what it has not handed over, and waits for the answer to the rest, though it is full', async () => {
  const rows = new Rows();
  rows.due.push(Array.from({ length: 8 }, (_, n) => delivery(n)));
  const answer = Promise.withResolvers<void>();
  let begun = 0;
  const loop = started(rows, async ({ handOver, signal }) => {
    begun += 1;
    if (begun === 1) {
      await handOver();
      return await answer.promise;
    }
    await new Promise((_, reject) => signal.addEventListener('abort', () => reject(signal.reason as Error)));
  });
  await vi.waitUntil(() => begun === 8, soon);
  const stopped = loop.stop();
  await vi.waitUntil(() => rows.ended.length === 7, soon);
  for (const { became } of rows.ended)
    expect(became).toMatchObject({ state: 'due', pause: 0, heldBack: true, doubted: false });
  answer.resolve();
  await stopped;
  expect(rows.ended.at(-1)?.became).toEqual({ state: 'sent' });
});
