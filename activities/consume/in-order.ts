import { recordMessages } from '../stores/postgres/consumer/claim-messages.ts';
import { holdMessage } from '../stores/postgres/consumer/hold-message.ts';
import { inTenant } from '../stores/postgres/consumer/message-key.ts';
import {
  type Aggregate,
  advancePositions,
  aggregateName,
  knownMessages,
  knownOf,
  lockPositions,
  positionsOf,
} from '../stores/postgres/consumer/positions.ts';
import type { Row, Statement } from '../stores/postgres/database.ts';
import type { Consumer } from './define-consumer.ts';
import { heldOf } from './held-of.ts';
import type { SoundMessage } from './judge-message.ts';
import { furthestAhead, type Sequenced, turnOf } from './turn-of.ts';

/** What has become of a message of a batch. `repeated`: it has a row already. */
export type Became = 'done' | 'repeated' | 'stale' | 'waiting' | 'too-far';

/** What messages become by their order, and how far each of their aggregates comes by that. */
type Placed = {
  readonly became: readonly Became[];
  readonly moved: readonly (Aggregate & { readonly done: number })[];
};

/** Locks the aggregates of one tenant's messages, and looks which of the messages are known. */
export function beginInOrder({ name }: Consumer, messages: readonly SoundMessage[]): readonly [Statement, Statement] {
  const keys = messages.map(({ key }) => key);
  return [lockPositions(name, messages.map(aggregateOf)), knownMessages(name, keys)];
}

/** @param messages by aggregate and sequence @param rows what `beginInOrder` gave */
export function placeInOrder(order: Sequenced, messages: readonly SoundMessage[], rows: readonly Row[][]): Placed {
  const positions = positionsOf(rows[0] ?? []);
  const known = knownOf(rows[1] ?? []);
  const moved = new Map<string, Aggregate & { readonly done: number }>();
  const became = messages.map((message): Became => {
    if (known.has(inTenant(message.key))) return 'repeated';
    const aggregate = aggregateOf(message);
    const name = aggregateName(aggregate);
    const sequence = message.event.sequence as number;
    const turn = turnOf(order, positions.get(name) ?? 0, sequence, false);
    switch (turn) {
      case 'run':
        positions.set(name, sequence);
        moved.set(name, { ...aggregate, done: sequence });
        return 'done';
      case 'wait':
        return 'waiting';
      case 'stale':
      case 'too-far':
        return turn;
    }
  });
  return { became, moved: [...moved.values()] };
}

/** Records what messages have become. A stale one needs no row: the position tells it again. */
export function endInOrder(
  consumer: Consumer,
  order: Sequenced,
  messages: readonly SoundMessage[],
  { became, moved }: Placed,
): readonly Statement[] {
  const those = (what: Became) => messages.filter((_, n) => became[n] === what);
  const done = those('done').map(({ key }) => key);
  const patience = order.gap === 'wait' ? order.patience : 0;
  return [
    ...(done.length === 0 ? [] : [recordMessages(consumer, done), ...advancePositions(consumer.name, moved)]),
    ...those('waiting').map((message) =>
      holdMessage(consumer, heldOf(consumer, message), { state: 'waiting', patience }),
    ),
    ...those('too-far').map((message) =>
      holdMessage(consumer, heldOf(consumer, message), {
        state: 'dead',
        why: tooFar(message.event.sequence as number),
      }),
    ),
  ];
}

export function tooFar(sequence: number) {
  const detail = `Its sequence ${sequence} is more than ${furthestAhead} ahead of the last one that was done.`;
  return { code: 'sequence-too-far', detail };
}

export function aggregateOf({ key: { environment, source }, event }: SoundMessage): Aggregate {
  return { environment, source, aggregate: event.aggregate as string };
}
