import { Writable } from 'node:stream';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { StateStream } from '../../client/http/operations/live/state-stream.ts';

beforeEach(() => vi.useFakeTimers());
afterEach(() => vi.useRealTimers());

/** A reader that takes all, or nothing. */
class Reader extends Writable {
  text = '';
  readonly #takes: boolean;

  constructor(takes = true) {
    super({ decodeStrings: false, highWaterMark: 1_000 });
    this.#takes = takes;
  }

  override _write(chunk: string, _encoding: string, done: () => void): void {
    if (!this.#takes) return;
    this.text += chunk;
    done();
  }

  get events(): { readonly id: number; readonly data: string }[] {
    return [...this.text.matchAll(/^id: (\d+)\nevent: state\ndata: (.*)\n\n/gm)].map(([, id, data = '']) => ({
      id: Number(id),
      data,
    }));
  }

  get heartbeats(): number {
    return [...this.text.matchAll(/^:\n\n/gm)].length;
  }
}

/** An operation whose rows a test changes, and a stream of it. */
function following(reader: Reader, last?: number, times = {}) {
  let tell: (version: number | undefined) => void = () => undefined;
  const operation = {
    version: 2 as number | undefined,
    data: 'claimed',
    says: undefined as string | undefined,
    settled: false,
    incomplete: false,
    looks: 0,
    /** Looks fail, or give no answer. */
    away: false as boolean | 'silent',
    barred: false,
    watchers: 0,
    change(version: number, data: string, settled = false) {
      Object.assign(operation, { version, data, settled });
      tell(version);
    },
    tell: (version: number | undefined) => tell(version),
  };
  const stream = new StateStream({
    to: reader,
    last,
    version: async () => operation.version,
    async look() {
      operation.looks += 1;
      if (operation.away === 'silent') await new Promise(() => undefined);
      if (operation.away) throw new Error('The ledger is away');
      const { version, data, says = data, settled, incomplete, barred } = operation;
      return version === undefined || barred ? undefined : { data, says, settled, incomplete };
    },
    watch(heard) {
      tell = heard;
      operation.watchers += 1;
      return () => {
        operation.watchers -= 1;
      };
    },
    times,
  });
  let over = false;
  const ended = stream.run().then(() => {
    over = true;
  });
  return { operation, stream, ended, isOver: () => over };
}

/** Lets everything happen that needs no time. */
const settle = () => vi.advanceTimersByTimeAsync(0);

describe('an event stream', () => {
  it('gives the state at once, one event for each change, and ends after the last', async () => {
    const reader = new Reader();
    const { operation, ended } = following(reader);
    await settle();
    operation.change(4, 'running');
    await settle();
    operation.tell(4);
    await settle();
    operation.change(6, 'succeeded', true);
    await ended;
    expect(reader.text).toMatch(/^retry: [123]\d{3}\n\n/);
    expect(reader.events).toEqual([
      { id: 2, data: 'claimed' },
      { id: 4, data: 'running' },
      { id: 6, data: 'succeeded' },
    ]);
    expect([reader.writableFinished, operation.watchers]).toEqual([true, 0]);
  });

  it('goes on behind the event that the reader got last, and says nothing twice', async () => {
    const reader = new Reader();
    const { operation, ended } = following(reader, 2);
    await settle();
    expect([reader.events, operation.looks]).toEqual([[], 0]);
    operation.change(4, 'succeeded', true);
    await ended;
    expect(reader.events).toEqual([{ id: 4, data: 'succeeded' }]);
  });

  it('gives the state where the reader names an event that this ledger does not have, as after a restore', async () => {
    const reader = new Reader();
    const { stream, ended } = following(reader, 99);
    await settle();
    expect(reader.events).toEqual([{ id: 2, data: 'claimed' }]);
    stream.end();
    await ended;
  });

  it('sends a comment each 15 s while nothing changes, and ends after five minutes', async () => {
    const reader = new Reader();
    const { ended, isOver } = following(reader);
    await vi.advanceTimersByTimeAsync(45_500);
    expect([reader.heartbeats, reader.events.length]).toEqual([3, 1]);
    await vi.advanceTimersByTimeAsync(5 * 60_000 - 46_000);
    expect(isOver()).toBe(false);
    await vi.advanceTimersByTimeAsync(1_000);
    await ended;
    expect(reader.writableFinished).toBe(true);
  });

  it('makes no event that the reader has not taken the one before of, and gives up who takes none', async () => {
    const reader = new Reader(false);
    // The signal of a real clock gives it up, long after all the changes.
    const { operation, isOver } = following(reader, undefined, { patience: 8_000 });
    await settle();
    for (let version = 4; version < 1_000; version += 2) {
      operation.change(version, `${version} ${'x'.repeat(500)}`);
      await settle();
    }
    expect(operation.looks).toBeLessThanOrEqual(3);
    expect(reader.writableLength).toBeLessThan(3_000);
    expect(isOver()).toBe(false);
    vi.useRealTimers();
    await expect.poll(() => [reader.destroyed, isOver(), operation.watchers]).toEqual([true, true, 0]);
  });

  it('ends with a reader that goes, whenever it does', async () => {
    const early = new Reader();
    early.destroy();
    const before = following(early);
    await before.ended;
    const reader = new Reader();
    const { operation, ended } = following(reader);
    await settle();
    reader.destroy();
    await ended;
    expect([before.operation.looks, before.operation.watchers, operation.watchers]).toEqual([0, 0, 0]);
  });

  it('waits for a ledger that is away, and shows no state from before', async () => {
    const reader = new Reader();
    const { operation, ended } = following(reader);
    await settle();
    operation.away = true;
    operation.change(4, 'running');
    await vi.advanceTimersByTimeAsync(10_000);
    expect(reader.events.map(({ id }) => id)).toEqual([2]);
    operation.away = false;
    operation.change(6, 'succeeded', true);
    await vi.advanceTimersByTimeAsync(1_000);
    await ended;
    expect(reader.events.map(({ id }) => id)).toEqual([2, 6]);
  });

  it('sends within 15 s what no version counts, under the same id, and nothing that only its signature has changed of', async () => {
    const reader = new Reader();
    const { operation, stream, ended } = following(reader);
    await settle();
    Object.assign(operation, { data: '3 of 9 bytes' });
    await vi.advanceTimersByTimeAsync(15_000);
    Object.assign(operation, { data: '3 of 9 bytes, signed afresh', says: '3 of 9 bytes' });
    await vi.advanceTimersByTimeAsync(30_000);
    expect(reader.events).toEqual([
      { id: 2, data: 'claimed' },
      { id: 2, data: '3 of 9 bytes' },
    ]);
    expect(operation.looks).toBe(4);
    stream.end();
    await ended;
  });

  it('tells a reader that comes back, after 15 s, what no version counts', async () => {
    const reader = new Reader();
    const { stream, ended } = following(reader, 2);
    await vi.advanceTimersByTimeAsync(45_000);
    expect(reader.events).toEqual([{ id: 2, data: 'claimed' }]);
    stream.end();
    await ended;
  });

  it('gets what was missing in a state within seconds, and asks less and less while it stays away', async () => {
    const reader = new Reader();
    const { operation, stream, ended } = following(reader);
    await settle();
    operation.incomplete = true;
    operation.change(4, 'waiting');
    await settle();
    Object.assign(operation, { data: 'waiting at the bank', incomplete: false });
    await vi.advanceTimersByTimeAsync(2_000);
    expect(reader.events.slice(1)).toEqual([
      { id: 4, data: 'waiting' },
      { id: 4, data: 'waiting at the bank' },
    ]);
    operation.incomplete = true;
    operation.change(6, 'waiting again');
    const before = operation.looks;
    // At once, and after 2, 4, 8, 15 and 15 seconds.
    await vi.advanceTimersByTimeAsync(44_000);
    expect(operation.looks - before).toBe(6);
    stream.end();
    await ended;
  });

  it.each([
    ['fail', true],
    ['give no answer', 'silent'],
  ] as const)('sends a comment each 15 s also while looks %s', async (_what, away) => {
    const reader = new Reader();
    const { operation, isOver } = following(reader);
    await settle();
    operation.away = away;
    operation.change(4, 'running');
    await vi.advanceTimersByTimeAsync(46_000);
    expect([reader.heartbeats, reader.events.length, isOver()]).toEqual([3, 1, false]);
    reader.destroy();
  });

  it('sends a comment each 15 s also while versions grow and the state says the same', async () => {
    const reader = new Reader();
    const { operation, stream, ended } = following(reader);
    await settle();
    for (let second = 1; second <= 46; second += 1) {
      operation.change(2 + 2 * second, 'claimed');
      await vi.advanceTimersByTimeAsync(1_000);
    }
    expect([reader.heartbeats, reader.events.length]).toEqual([3, 1]);
    stream.end();
    await ended;
  });

  it('ends within 15 s after its reader may not see the operation any more, though nothing changes', async () => {
    const reader = new Reader();
    const { operation, ended, isOver } = following(reader);
    await settle();
    operation.barred = true;
    await vi.advanceTimersByTimeAsync(14_000);
    expect(isOver()).toBe(false);
    await vi.advanceTimersByTimeAsync(1_000);
    await ended;
    expect([reader.events.length, reader.writableFinished]).toEqual([1, true]);
  });

  it('ends where the operation is there no more, or its reader may not see it any more', async () => {
    const gone = following(new Reader());
    await settle();
    gone.operation.tell(undefined);
    await gone.ended;
    const barred = following(new Reader());
    await settle();
    Object.assign(barred.operation, { version: undefined });
    barred.operation.tell(4);
    await barred.ended;
    expect(barred.operation.watchers).toBe(0);
  });

  it('ends when it is told to, also while it waits for its reader', async () => {
    const reader = new Reader(false);
    const { operation, stream, ended } = following(reader);
    await settle();
    operation.change(4, 'x'.repeat(2_000));
    await settle();
    stream.end();
    await ended;
    expect(reader.destroyed).toBe(true);
  });
});
