import type { Published } from '../stores/nats/event-stream.ts';
import type { DueEvent, Refusal } from '../stores/postgres/outbox/due-events.ts';

/** What has become of an event; a refused one says why, for its dead letter. */
export type Became = Exclude<Published, { state: 'refused' }> | ({ readonly state: 'refused' } & Refusal);

type InOrder = {
  readonly published: readonly DueEvent[];
  readonly refused: readonly { readonly event: DueEvent; readonly why: Refusal }[];
  /** Why the broker gave no answer, where it gave none. */
  readonly unanswered: string | undefined;
};

/**
 * Publishes events: aggregates side by side, and within an aggregate one after the other's acknowledgement. Behind an event that was
 * not published nothing of its aggregate is; once the broker has left one unanswered, nothing is begun.
 * @param goesOn whether the next one may be begun
 */
export async function publishInOrder(
  events: readonly DueEvent[],
  publish: (event: DueEvent) => Promise<Became>,
  goesOn: () => boolean,
): Promise<InOrder> {
  const published: DueEvent[] = [];
  const refused: { event: DueEvent; why: Refusal }[] = [];
  let unanswered: string | undefined;
  const ofAggregate = async (ordered: readonly DueEvent[]): Promise<void> => {
    for (const event of ordered) {
      if (unanswered !== undefined || !goesOn()) return;
      const became = await publish(event);
      switch (became.state) {
        case 'published':
          published.push(event);
          break;
        case 'refused':
          refused.push({ event, why: { code: became.code, detail: became.detail } });
          return;
        case 'unanswered':
          unanswered = became.detail;
          return;
      }
    }
  };
  await Promise.all([...byAggregate(events).values()].map(ofAggregate));
  return { published, refused, unanswered };
}

function byAggregate(events: readonly DueEvent[]): ReadonlyMap<string, readonly DueEvent[]> {
  return Map.groupBy(events, ({ tenant, environment, aggregateType, aggregate }) =>
    JSON.stringify([tenant, environment, aggregateType, aggregate]),
  );
}
