import { ZodError } from 'zod';
import type { Published } from '../stores/nats/event-stream.ts';
import type { DueEvent, Refusal, Shard } from '../stores/postgres/outbox/due-events.ts';
import { eventEnvelope } from '../delivery/event-envelope.ts';
import { eventSubject } from './event-subject.ts';
import type { Way } from './pass.ts';
import { type Became, publishInOrder } from './publish-in-order.ts';
import { SubjectRefusals } from './subject-refusals.ts';

/**
 * Events that a relay takes of a shard at once. More of them are under way at the broker, which then writes several to its disk in
 * one go; fewer are published a second time when a relay dies.
 */
const atMost = 128;

/** A broker, as the relay needs it. A test passes its own, to stop the relay at a boundary. */
export type EventBroker = {
  readonly called: string;
  /** @returns for how long it knows an id. Milliseconds. @throws why it cannot take events */
  readonly prove: () => Promise<number>;
  readonly publish: (subject: string, id: string, body: string) => Promise<Published>;
  /** @returns the body of the newest message of a subject */
  readonly newestOf: (subject: string) => Promise<string | undefined>;
};

type Asked = Pick<EventBroker, 'publish' | 'newestOf'>;

/** The rows of the outbox, as a relay by a broker sees them. */
export type EventRows = {
  readonly take: (shard: Shard, atMost: number) => Promise<readonly DueEvent[]>;
  /** @returns undefined where another relay has taken the shard */
  readonly record: (shard: Shard, ids: readonly string[]) => Promise<number | undefined>;
  /** @returns false where another relay has taken the shard */
  readonly refuse: (shard: Shard, id: string, why: Refusal) => Promise<boolean>;
};

type ByBrokerParts = {
  readonly broker: EventBroker;
  readonly rows: EventRows;
  /** The longest time between two tries of one event that no outage draws out. Milliseconds. */
  readonly horizon: number;
  readonly count: (became: 'published' | 'duplicate' | 'refused' | 'unanswered') => void;
  readonly tell: (event: DueEvent, why: Refusal) => void;
};

/** The way of events by a broker: publish, then record. What was not recorded is published again, and the broker knows its id. */
export function byBroker({ broker, rows, horizon, count, tell }: ByBrokerParts): Way {
  let window = 0;
  const subjects = new SubjectRefusals();
  const askedFor = (shard: Shard): Asked => ({
    async publish(subject, id, body) {
      const sent = subjects.sends();
      const answer = await broker.publish(subject, id, body);
      if (answer.state === 'published') subjects.took(id, sent);
      if (answer.state === 'refused' && isOfSubject(answer)) subjects.refused(id, shard);
      return answer;
    },
    newestOf: (subject) => broker.newestOf(subject),
  });
  return {
    called: broker.called,
    async prove() {
      window = await broker.prove();
    },
    async pass(shard, holds) {
      const events = await rows.take(shard, atMost);
      subjects.begin(shard, new Set(events.map(({ id }) => id)));
      const asked = askedFor(shard);
      const publish = async (event: DueEvent): Promise<Became> => {
        const became = await publishOnce(asked, event, window - horizon);
        count(became.state === 'published' && became.duplicate ? 'duplicate' : became.state);
        return became;
      };
      const { published, refused, unanswered } = await publishInOrder(events, publish, holds);
      const ids = published.map(({ id }) => id);
      if (ids.length > 0 && (await rows.record(shard, ids)) === undefined) return { state: 'lost' };
      let away = unanswered;
      let ended = 0;
      for (const { event, why } of refused) {
        if (isOfSubject(why) && !subjects.decides(event.id)) {
          // A broker that has taken another one is there: this one is asked about again with the next look.
          if (ids.length === 0) away ??= why.detail;
          continue;
        }
        if (!(await rows.refuse(shard, event.id, why))) return { state: 'lost' };
        tell(event, why);
        ended += 1;
      }
      if (away !== undefined) return { state: 'away', detail: away };
      return { state: 'done', more: events.length === atMost || ended > 0 };
    },
  };
}

function isOfSubject({ code }: Refusal): boolean {
  return code === 'subject-refused';
}

/**
 * @param knownFor how long after a try the broker surely knows the id. What was tried longer ago is looked up: the newest message of
 *   its aggregate tells how far that one has come. Milliseconds
 */
async function publishOnce(broker: Asked, event: DueEvent, knownFor: number): Promise<Became> {
  const subject = eventSubject(event);
  let body: string;
  try {
    body = JSON.stringify(eventEnvelope(event));
  } catch (error) {
    if (!(error instanceof ZodError)) throw error;
    const faults = error.issues.map(({ path, message }) => `${path.join('.')}: ${message}`).join('; ');
    return { state: 'refused', code: 'message-unwritable', detail: `It cannot be told as a CloudEvent. ${faults}` };
  }
  if (event.triedFor !== undefined && event.triedFor >= knownFor) {
    try {
      if ((await newestSequence(broker, subject)) >= event.sequence) return { state: 'published', duplicate: true };
    } catch (error) {
      return { state: 'unanswered', detail: (error as Error).message };
    }
  }
  return await broker.publish(subject, event.id, body);
}

/** A stream that has thrown its messages away, or that others write to as well, tells nothing. */
async function newestSequence(broker: Asked, subject: string): Promise<bigint> {
  const body = await broker.newestOf(subject);
  if (body === undefined) return 0n;
  try {
    const { sequence } = JSON.parse(body) as { readonly sequence?: unknown };
    return typeof sequence === 'string' && /^\d+$/.test(sequence) ? BigInt(sequence) : 0n;
  } catch {
    return 0n;
  }
}
