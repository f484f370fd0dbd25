import type { Environment } from './key.ts';

/** Something that another system has told us, once its signature held. */
export type InboxEvent = {
  /** The sender's id of it, the same on each delivery. 1–255 printable ASCII characters. */
  readonly id: string;
  /** The name of the source in this deployment, as in `/v1/webhooks/{source}`. */
  readonly source: string;
  readonly tenant: string;
  readonly environment: Environment;
  /** In the sender's words, such as `payment_intent.succeeded`. */
  readonly type: string;
  /** What it is about, by the sender's id; null where it names nothing. */
  readonly object: string | null;
  /** The body, parsed. Nobody but the sender has checked it. */
  readonly data: unknown;
};

/** The events that a flow or a step listens to. */
type Heard = {
  /** The kind of source, such as `stripe`. A deployment may have several of one kind. */
  readonly from: string;
  readonly types: readonly string[];
};

/** The event that begins a flow: one operation for each event, keyed by the sender's id of it. */
export type EventStart = Heard & {
  /** @returns what is asked for; undefined where the event does not concern the flow. @throws where it cannot be read */
  readonly request: (event: InboxEvent) => Readonly<Record<string, unknown>> | undefined;
};

/** The event that ends a step's wait. */
export type EventEnd = Heard & {
  /** @returns the operation that it speaks of; undefined where it speaks of none of ours */
  readonly operation: (event: InboxEvent) => string | undefined;
  /**
   * An earlier step whose result names what is waited for: an event that says otherwise in a field of `same` is of
   * something else, and ends nothing.
   */
  readonly agreesWith?: string;
  /** @returns what the step waits for, in its declared form */
  readonly evidence: (event: InboxEvent) => Readonly<Record<string, unknown>>;
};
