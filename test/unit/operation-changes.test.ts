import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { OperationChanges } from '../../client/gateway/operation-changes.ts';

beforeEach(() => vi.useFakeTimers());
afterEach(() => vi.useRealTimers());

/** A ledger of versions, and news that a test tells. */
function ledger() {
  const versions = new Map<string, number>();
  const reads: { readonly tenant: string; readonly ids: readonly string[] }[] = [];
  let hear: (news: { id: string; tenant: string }) => void = () => undefined;
  const state = { away: false };
  const changes = new OperationChanges({
    news: {
      hear(callback) {
        hear = callback;
        return () => true;
      },
    },
    async read(tenant, ids) {
      reads.push({ tenant, ids });
      if (state.away) throw new Error('away');
      return new Map(ids.filter((id) => versions.has(id)).map((id) => [id, versions.get(id) as number]));
    },
  });
  return { versions, reads, state, changes, news: (id: string, tenant = 'alpha') => hear({ id, tenant }) };
}

const second = () => vi.advanceTimersByTimeAsync(1_000);

it('a lost notification costs a second: a look finds the change', async () => {
  const { versions, changes } = ledger();
  versions.set('op_1', 2);
  const heard: (number | undefined)[] = [];
  const stop = changes.watch('alpha', 'op_1', (version) => heard.push(version));
  versions.set('op_1', 4);
  await second();
  versions.delete('op_1');
  await second();
  expect(heard).toEqual([4, undefined]);
  stop();
});

it('news is looked at once, that of many operations together, and that of others never', async () => {
  const { versions, reads, changes, news } = ledger();
  const heard: string[] = [];
  const stops = Array.from({ length: 100 }, (_, n) => {
    versions.set(`op_${n}`, 2);
    return changes.watch('alpha', `op_${n}`, () => heard.push(`op_${n}`));
  });
  for (let n = 0; n < 200; n += 1) news(`op_${n}`);
  await vi.advanceTimersByTimeAsync(1);
  expect([reads.length, reads[0]?.ids.length, heard.length]).toEqual([1, 100, 100]);
  for (const stop of stops) stop();
});

it('a thousand watchers cost one look a second for each tenant, and none when they have gone', async () => {
  const { reads, changes } = ledger();
  const stops = Array.from({ length: 1_000 }, (_, n) =>
    changes.watch(n % 2 === 0 ? 'alpha' : 'beta', `op_${n >> 1}_${n % 2}`, () => undefined),
  );
  await second();
  expect(reads.map(({ tenant, ids }) => [tenant, ids.length])).toEqual([
    ['alpha', 500],
    ['beta', 500],
  ]);
  for (const stop of stops) stop();
  await second();
  expect(reads.length).toBe(2);
  expect(vi.getTimerCount()).toBe(0);
});

it('many who watch one operation share its look, and each ends for itself', async () => {
  const { versions, reads, changes } = ledger();
  versions.set('op_1', 2);
  const heard: string[] = [];
  const stopFirst = changes.watch('alpha', 'op_1', () => heard.push('first'));
  const stopSecond = changes.watch('alpha', 'op_1', () => heard.push('second'));
  await second();
  stopFirst();
  await second();
  expect([heard, reads.map(({ ids }) => ids.length)]).toEqual([
    ['first', 'second', 'second'],
    [1, 1],
  ]);
  stopSecond();
});

it('a ledger that is away tells nothing, and is asked again', async () => {
  const { versions, state, changes } = ledger();
  versions.set('op_1', 2);
  const heard: (number | undefined)[] = [];
  const stop = changes.watch('alpha', 'op_1', (version) => heard.push(version));
  state.away = true;
  await second();
  expect(heard).toEqual([]);
  state.away = false;
  await second();
  expect(heard).toEqual([2]);
  stop();
});
