import type { z } from 'zod';
import type { Environment } from '../../workflows/operation/key.ts';
import type { RowClient } from '../stores/postgres/callback/row-client.ts';
import type { Order } from './turn-of.ts';

/** A message as its effect gets it: the envelope, and `data` in the declared form. */
export type ConsumedEvent<Type extends string = string, Data = unknown> = {
  /** The sender's id: the same on each delivery. */
  readonly id: string;
  readonly source: string;
  readonly tenant: string;
  readonly environment: Environment;
  readonly type: Type;
  /** What it is about, such as `order/ord_1`; null where it names nothing. */
  readonly aggregate: string | null;
  /** Its number in the order of its aggregate; null where it has none. */
  readonly sequence: number | null;
  readonly occurredAt: Date | null;
  /** The operation that told it, and what began that operation. */
  readonly operation: string | null;
  readonly cause: string | null;
  readonly data: Data;
};

/** Whose messages they are: of the tenant and environment that the subject names, or all of one. */
export type Tenancy = 'subject' | { readonly tenant: string; readonly environment: Environment };

/** Where messages come from. */
type From = {
  /** The stream of the broker. */
  readonly stream: string;
  /** Subjects of the stream, such as `hapax.*.*.upload.>`. */
  readonly subjects: readonly string[];
  readonly tenancy: Tenancy;
};

type About = {
  /** Part of each claim: a new name consumes everything anew. */
  readonly name: string;
  readonly from: From;
  readonly order: Order;
  /**
   * For how long an id is known after its effect: longer than the broker can still deliver it. Milliseconds, or `forever`. The
   * start compares the two.
   */
  readonly window: number | 'forever';
};

/** The types that a consumer acts on, each with the form of its data. It acknowledges others without an effect. */
type Schemas = Readonly<Record<string, z.ZodType>>;

type EventOf<Types extends Schemas> = {
  [Type in keyof Types & string]: ConsumedEvent<Type, z.output<Types[Type]>>;
}[keyof Types & string];

/** What a message sets off in our own rows, once. */
export type Consumer = About & {
  readonly types: Schemas;
  readonly locks: (event: ConsumedEvent) => string;
  readonly effect: (sql: RowClient, event: ConsumedEvent) => Promise<void>;
};

/** A consumer's name is part of a durable name at the broker, which takes no dots, spaces and wildcards. */
const soundName = /^[a-z][a-z0-9-]{0,39}$/;
/** Subjects of our own events name tenant and environment in these places. */
const ownSubject = /^hapax\.[^.>]+\.[^.>]+\./;

/**
 * Declares a consumer. Its effect reads and writes rows through `sql`, under the rules of a row step: the claim of the message
 * commits with it or not at all. It may run again where it did not commit, so it has no effect outside the transaction.
 * @throws TypeError for a declaration that could lose or mix up messages
 */
export function defineConsumer<const Types extends Schemas>({
  effect,
  locks,
  ...declared
}: About & {
  readonly types: Types;
  /**
   * Names the row that the effect changes, where effects change one row each: those of a batch begin in this order, so that two batches
   * do not lock rows in two orders, and those of different rows do not wait for each other. Only for `order: 'any'`.
   */
  readonly locks?: (event: EventOf<Types>) => string;
  /**
   * @throws Refused where trying again is of no use: the message becomes a dead letter at once
   * @throws any other error: its writes are rolled back, and it is tried again
   */
  readonly effect: (sql: RowClient, event: EventOf<Types>) => Promise<void>;
}): Consumer {
  const { name, from, order, types } = declared;
  const fail = (why: string): never => {
    throw new TypeError(`Consumer ${name}: ${why}`);
  };
  if (!soundName.test(name)) fail('name it with lower-case letters, digits and hyphens, 40 at most.');
  if (Object.keys(types).length === 0) fail('declare at least one type.');
  if (from.subjects.length === 0) fail('name at least one subject.');
  const strange = from.subjects.find((subject) => from.tenancy === 'subject' && !ownSubject.test(subject));
  if (strange !== undefined)
    fail(`the subject ${strange} names no tenant: begin it with \`hapax.*.*.\`, or say whose messages they are.`);
  if (order !== 'any' && order.gap === 'wait' && !(order.patience > 0)) fail('say for how long a message waits.');
  if (order !== 'any' && locks !== undefined) fail('its effects are in the order of sequences: leave `locks` out.');
  const inNoOrder = (): string => '';
  return {
    ...declared,
    locks: (locks as Consumer['locks'] | undefined) ?? inNoOrder,
    effect: effect as Consumer['effect'],
  };
}
