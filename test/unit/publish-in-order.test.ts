import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { byBroker, type EventBroker } from '../../activities/relay/by-broker.ts';
import { type Became, publishInOrder } from '../../activities/relay/publish-in-order.ts';
import type { Published } from '../../activities/stores/nats/event-stream.ts';
import type { DueEvent } from '../../activities/stores/postgres/outbox/due-events.ts';

const eventOf = (aggregate: string, sequence: number, triedFor?: number): DueEvent => ({
  ...{ id: `${aggregate}/${sequence}`, tenant: 'alpha', environment: 'test', aggregateType: 'order', aggregate },
  ...{ sequence: BigInt(sequence), type: 'a', operation: 'op_1', cause: null, payload: {}, occurredAt: new Date(0) },
  triedFor,
});
const always = () => true;
const yes: Became = { state: 'published', duplicate: false };
const no: Became = { state: 'refused', code: 'message-refused', detail: 'too long' };
const silence: Became = { state: 'unanswered', detail: 'timeout' };

describe('publishing in order', () => {
  it('sends what is later in an aggregate only after the acknowledgement of what is before, and other aggregates meanwhile', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.scheduler(),
        fc.array(fc.constantFrom('a', 'b', 'c'), { maxLength: 12 }),
        fc.array(fc.constantFrom(yes, yes, yes, no, silence), { minLength: 12, maxLength: 12 }),
        async (scheduler, aggregates, answers) => {
          const counts = new Map<string, number>();
          const events = aggregates.map((aggregate) => {
            counts.set(aggregate, (counts.get(aggregate) ?? 0) + 1);
            return eventOf(aggregate, counts.get(aggregate) as number);
          });
          const open = new Set<string>();
          const done: DueEvent[] = [];
          const publish = async (event: DueEvent): Promise<Became> => {
            expect(open.has(event.aggregate)).toBe(false);
            open.add(event.aggregate);
            const before = done.filter(({ aggregate }) => aggregate === event.aggregate);
            expect(before).toHaveLength(Number(event.sequence) - 1);
            const became = answers[events.indexOf(event)] as Became;
            await scheduler.schedule(Promise.resolve());
            open.delete(event.aggregate);
            if (became.state === 'published') done.push(event);
            return became;
          };
          const running = publishInOrder(events, publish, always);
          await scheduler.waitFor(running);
          const { published, refused, unanswered } = await running;
          expect(published).toEqual(done);
          // Whatever is not answered for is either behind a refusal, or left because the broker was silent.
          if (refused.length === 0 && unanswered === undefined) expect(published).toHaveLength(events.length);
        },
      ),
      { numRuns: 200 },
    );
  });

  it('begins nothing more when the lease has ended', async () => {
    let sent = 0;
    const publish = async (): Promise<Became> => {
      sent += 1;
      return yes;
    };
    const events = [1, 2, 3].map((sequence) => eventOf('a', sequence));
    expect(await publishInOrder(events, publish, () => sent < 2)).toMatchObject({ published: events.slice(0, 2) });
  });
});

describe('an event that was tried before', () => {
  const shard = { number: 0, fence: 1n };
  async function passed(event: DueEvent, newest: string | undefined): Promise<string[]> {
    const asked: string[] = [];
    const broker: EventBroker = {
      called: 'a broker',
      prove: async () => 600_000,
      publish: async (): Promise<Published> => {
        asked.push('publish');
        return { state: 'published', duplicate: false };
      },
      newestOf: async (subject) => {
        asked.push(`newest of ${subject}`);
        return newest;
      },
    };
    const way = byBroker({
      ...{ broker, horizon: 50_000, count: () => undefined, tell: () => undefined },
      rows: {
        take: async () => [event],
        record: async (_, ids) => {
          asked.push(`record ${ids.join()}`);
          return ids.length;
        },
        refuse: async () => true,
      },
    });
    await way.prove();
    await way.pass(shard, always);
    return asked;
  }
  const known = JSON.stringify({ sequence: '0000000000000000005' });

  it('is published again while the broker knows its id', async () => {
    expect(await passed(eventOf('a', 5, 549_999), known)).toEqual(['publish', 'record a/5']);
  });

  it.each([
    ['is there, or a later one is', 5, known, ['record a/5']],
    ['is not: the newest is an earlier one', 6, known, ['publish', 'record a/6']],
    ['is not: the stream has none', 5, undefined, ['publish', 'record a/5']],
    ['is not known: another has written there', 5, 'not ours', ['publish', 'record a/5']],
  ])('longer ago is looked for. It %s', async (_, sequence, newest, then) => {
    const subject = 'newest of hapax.alpha.test.order.a';
    expect(await passed(eventOf('a', sequence, 550_000), newest)).toEqual([subject, ...then]);
  });
});
