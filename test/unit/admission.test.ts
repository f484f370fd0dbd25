import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { Admission } from '../../client/gateway/admission.ts';

/**
 * Workers as they were measured on two quiet cores: one operation takes 50 ms alone, 60 end in a second whatever their
 * number, first come first served. Time is the test's own.
 */
class Workers {
  readonly #waiting: { readonly id: string; readonly tenant: string; readonly since: number; end(): void }[] = [];
  #free = 0;
  perSecond = 60;
  readonly alone = 50;
  hear: (ended: { id: string; tenant: string }) => void = () => undefined;

  async run(id: string, tenant: string): Promise<void> {
    await new Promise<void>((end) => {
      this.#waiting.push({ id, tenant, since: Date.now(), end });
      this.#free = Math.max(this.#free, Date.now());
      this.#free += 1_000 / this.perSecond;
      setTimeout(() => this.#end(id), Math.max(this.alone, this.#free - Date.now()));
    });
  }

  #end(id: string): void {
    const index = this.#waiting.findIndex((one) => one.id === id);
    const [one] = this.#waiting.splice(index, 1);
    if (one === undefined) return;
    this.hear(one);
    one.end();
  }

  inHand() {
    const operations = new Map<string, number>();
    for (const { tenant } of this.#waiting) operations.set(tenant, (operations.get(tenant) ?? 0) + 1);
    return { operations, waited: 0 };
  }
}

type Ended = { readonly at: number; readonly took: number; readonly asks: number };

let workers: Workers;
let doors: Admission[];

beforeEach(() => {
  vi.useFakeTimers({ now: 1_000_000 });
  workers = new Workers();
  const hearers: ((ended: { id: string; tenant: string }) => void)[] = [];
  workers.hear = (ended) => hearers.forEach((hear) => hear(ended));
  doors = Array.from(
    { length: 2 },
    () =>
      new Admission({
        look: async () => {
          await pause(2);
          return workers.inHand();
        },
        hear: (callback) => {
          hearers.push(callback);
          return () => true;
        },
        log: () => undefined,
      }),
  );
});

afterEach(() => {
  for (const door of doors) door.close();
  vi.useRealTimers();
});

const pause = (milliseconds: number) => new Promise((resolve) => setTimeout(resolve, milliseconds));
let made = 0;

/** Clients that each begin another operation when the last has ended, and come back with a refused one as they are told. */
async function load(clients: number, seconds: number, tenant = 'alpha'): Promise<Ended[]> {
  const ended: Ended[] = [];
  const ends = Date.now() + seconds * 1_000;
  const client = async (n: number): Promise<void> => {
    while (Date.now() < ends) {
      made += 1;
      const id = `op-${made}`;
      for (let asks = 1; Date.now() < ends; asks += 1) {
        const ruling = await (doors[n % doors.length] as Admission).ask(tenant, id);
        if (ruling.kind === 'overloaded') {
          await pause(ruling.retryAfter * 1_000);
          continue;
        }
        await pause(3);
        const asked = Date.now();
        const work = workers.run(id, tenant);
        ruling.claimed(id);
        await work;
        ended.push({ at: Date.now(), took: Date.now() - asked, asks });
        break;
      }
    }
  };
  const all = Promise.all(Array.from({ length: clients }, (_, n) => client(n)));
  await vi.advanceTimersByTimeAsync(seconds * 1_000 + 40_000);
  await all;
  return ended;
}

function p99(ended: readonly Ended[]): number {
  const sorted = ended.map(({ took }) => took).toSorted((a, b) => a - b);
  return sorted[Math.ceil(sorted.length * 0.99) - 1] as number;
}

/** Ended between two seconds of a load, per second. */
function goodput(ended: readonly Ended[], start: number, from: number, to: number): number {
  const within = ended.filter(({ at }) => at >= start + from * 1_000 && at < start + to * 1_000);
  return within.length / (to - from);
}

describe('admission to workers that end 60 operations a second', () => {
  it('keeps them at their peak under ten times the load that saturates them, and p99 within twice of that', async () => {
    const began = Date.now();
    const saturated = await load(40, 20);
    const peak = goodput(saturated, began, 5, 20);
    expect(peak).toBeGreaterThan(57);
    const start = Date.now();
    const tenfold = await load(400, 30);
    expect(goodput(tenfold, start, 0, 30) / peak).toBeGreaterThanOrEqual(0.9);
    const steady = tenfold.filter(({ at }) => at >= start + 10_000);
    expect(p99(steady) / p99(saturated)).toBeLessThanOrEqual(2);
    // No one waits for as long as a caller waits, the first burst included.
    expect(Math.max(...tenfold.map(({ took }) => took))).toBeLessThan(5_000);
  });

  it('takes 200 at once from a quiet stack as it always did', async () => {
    await load(40, 10);
    const refused = await Promise.all(
      Array.from({ length: 200 }, async (_, n) => {
        const asked = (doors[0] as Admission).ask('alpha', `burst-${n}`);
        await vi.advanceTimersByTimeAsync(1);
        const ruling = await asked;
        if (ruling.kind === 'overloaded') return 1;
        ruling.claimed(`burst-${n}`);
        void workers.run(`burst-${n}`, 'alpha');
        return 0;
      }),
    );
    expect(refused.filter((one) => one === 1).length).toBeLessThanOrEqual(4);
  });

  it('serves who was refused in its turn: nearly all get in within four asks', async () => {
    await load(40, 10);
    const ended = await load(400, 30);
    const late = ended.filter(({ asks }) => asks > 4).length;
    expect(late / ended.length).toBeLessThan(0.05);
  });

  it('gives a tenant that asks for little all of it beside one that floods, and two that flood the same', async () => {
    await load(40, 5);
    const [flood, other, little] = await Promise.all([
      load(300, 20, 'flood'),
      load(60, 20, 'other'),
      load(2, 20, 'little'),
    ]);
    const [first, second] = [flood.length, other.length];
    expect(Math.abs(first - second) / Math.max(first, second)).toBeLessThan(0.3);
    expect(Math.max(...little.map(({ asks }) => asks))).toBe(1);
  });

  it('is as before soon after: the first ask succeeds', async () => {
    await load(400, 15);
    const after = await load(1, 5);
    expect(after.every(({ asks, took }) => asks === 1 && took <= 75)).toBe(true);
  });
});
