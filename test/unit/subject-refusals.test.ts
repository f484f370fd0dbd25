import { setTimeout as pause } from 'node:timers/promises';
import { expect, it } from 'vitest';
import { byBroker } from '../../activities/relay/by-broker.ts';
import type { Published } from '../../activities/stores/nats/event-stream.ts';
import type { DueEvent } from '../../activities/stores/postgres/outbox/due-events.ts';

const eventOf = (aggregate: string, sequence = 1): DueEvent => ({
  ...{ id: `${aggregate}/${sequence}`, tenant: 'alpha', environment: 'test', aggregateType: 'order', aggregate },
  ...{ sequence: BigInt(sequence), type: 'a', operation: 'op_1', cause: null, payload: {}, occurredAt: new Date(0) },
  triedFor: undefined,
});

/** A relay between rows and a broker that takes nothing on the subjects of some aggregates. */
function relay() {
  const denied = new Set<string>();
  /** A refusal takes this long: the broker is asked whether it stores the subject. Milliseconds. */
  const refusing = { takes: 0 };
  /** So long does it take to keep an event. Milliseconds. */
  const keeping = { takes: 0 };
  const published: string[] = [];
  const refused: string[] = [];
  const told: string[] = [];
  let due: DueEvent[] = [];
  const way = byBroker({
    ...{ horizon: 1, count: () => undefined, tell: ({ id }, { code }) => void told.push(`${id} ${code}`) },
    broker: {
      called: 'a broker',
      prove: async () => 600_000,
      newestOf: async () => undefined,
      async publish(subject, id): Promise<Published> {
        const aggregate = subject.split('.').at(-1) as string;
        if (denied.has(aggregate) || denied.has('all')) {
          if (refusing.takes > 0) await pause(refusing.takes);
          return { state: 'refused', code: 'subject-refused', detail: `Nothing on ${aggregate}.` };
        }
        if (keeping.takes > 0) await pause(keeping.takes);
        published.push(id);
        return { state: 'published', duplicate: false };
      },
    },
    rows: {
      take: async () => due,
      record: async (_, ids) => ids.length,
      refuse: async (_, id) => {
        refused.push(id);
        return true;
      },
    },
  });
  return {
    ...{ denied, refusing, keeping, published, refused, told },
    pass: (...events: DueEvent[]) => {
      due = events;
      return way.pass({ number: 0, fence: 1n }, () => true);
    },
  };
}

it('a subject on which the broker takes nothing holds up its aggregate alone', async () => {
  const { denied, published, refused, told, pass } = relay();
  denied.add('a');
  const passed = await pass(eventOf('a'), eventOf('a', 2), eventOf('b'), eventOf('c'), eventOf('b', 2));
  expect(passed).toEqual({ state: 'done', more: true });
  expect(published.toSorted()).toEqual(['b/1', 'b/2', 'c/1']);
  expect([refused, told]).toEqual([['a/1'], ['a/1 subject-refused']]);
});

it('a broker that takes nothing on any subject is away, and no event becomes a dead letter', async () => {
  const { denied, published, refused, pass } = relay();
  await pass(eventOf('a'));
  denied.add('all');
  for (let n = 0; n < 3; n += 1)
    expect(await pass(eventOf('b'), eventOf('c'))).toEqual({ state: 'away', detail: 'Nothing on b.' });
  expect([published, refused]).toEqual([['a/1'], []]);
  denied.clear();
  expect(await pass(eventOf('b'), eventOf('c'))).toMatchObject({ state: 'done' });
  expect(refused).toEqual([]);
});

it('an event that is alone waits, until the broker shows that it takes others', async () => {
  const { denied, refused, pass } = relay();
  denied.add('a');
  expect(await pass(eventOf('a'))).toMatchObject({ state: 'away' });
  expect(await pass(eventOf('a'))).toMatchObject({ state: 'away' });
  expect(refused).toEqual([]);
  expect(await pass(eventOf('a'), eventOf('b'))).toMatchObject({ state: 'done' });
  expect(refused).toEqual(['a/1']);
});

it('what the broker took after a refusal says nothing where it was sent before: the others go on, and the next look decides', async () => {
  const { denied, refusing, published, refused, pass } = relay();
  denied.add('a');
  refusing.takes = 20;
  expect(await pass(eventOf('a'), eventOf('b'))).toEqual({ state: 'done', more: false });
  expect([published, refused]).toEqual([['b/1'], []]);
  expect(await pass(eventOf('a'), eventOf('c'))).toEqual({ state: 'done', more: true });
  expect([published, refused]).toEqual([['b/1', 'c/1'], ['a/1']]);
});

it('an event that was under way when rights were lost says nothing of those after it, though it is taken later', async () => {
  const { denied, keeping, published, refused, pass } = relay();
  denied.add('a');
  keeping.takes = 20;
  expect(await pass(eventOf('a'), eventOf('b'))).toEqual({ state: 'done', more: false });
  denied.add('all');
  for (let n = 0; n < 3; n += 1) expect(await pass(eventOf('a'), eventOf('c'))).toMatchObject({ state: 'away' });
  expect([published, refused]).toEqual([['b/1'], []]);
});

it('a refusal of a time when another relay may have held the shard decides nothing', async () => {
  const { denied, refused, pass } = relay();
  denied.add('all');
  expect(await pass(eventOf('a'))).toMatchObject({ state: 'away' });
  denied.clear();
  await pass(eventOf('b'));
  denied.add('all');
  expect(await pass(eventOf('a'))).toMatchObject({ state: 'away' });
  expect(refused).toEqual([]);
});
