import { spoken } from '../../workflows/operation/duration.ts';
import type { EventEnd, EventStart } from '../../workflows/operation/event.ts';
import type { AnyFlow } from '../../workflows/operation/flow.ts';
import { clockSkew } from '../../workflows/operation/retention.ts';
import type { EventSource } from './event-sources.ts';

/** What is done about an event. Its name stands in rows, and shows a double subscription. */
export type EventHandler = {
  readonly name: string;
  readonly flow: AnyFlow;
} & (
  | { readonly kind: 'begins'; readonly on: EventStart }
  | { readonly kind: 'ends'; readonly step: string; readonly on: EventEnd }
);

/** What the flows do about events, by the handler's name. */
export class EventHandlers {
  readonly #handlers: ReadonlyMap<string, EventHandler>;

  constructor(flows: readonly AnyFlow[]) {
    this.#handlers = new Map(flows.flatMap(handlersOf).map((handler) => [handler.name, handler]));
  }

  find(name: string): EventHandler | undefined {
    return this.#handlers.get(name);
  }

  /** Who listens to a type of event from a kind of source. */
  hearing(kind: string, type: string): readonly EventHandler[] {
    return [...this.#handlers.values()].filter(({ on }) => on.from === kind && on.types.includes(type));
  }

  /**
   * A key has to be known for longer than its sender repeats the event: past that, an event would run twice.
   * @returns what is wrong, one sentence each
   */
  faults(sources: readonly EventSource[]): readonly string[] {
    return sources.flatMap(({ name, kind, repeatsFor }) =>
      [...this.#handlers.values()]
        .filter(({ on, flow }) => on.from === kind && flow.retention.tombstone < repeatsFor + clockSkew)
        .map(
          ({ flow }) =>
            `Source ${name} repeats its events for ${spoken(repeatsFor)}, and flow ${flow.name} forgets their ids after ` +
            `${spoken(flow.retention.tombstone)}: raise retention.tombstone in workflows/${flow.name}.flow.ts, or lower ` +
            `repeatsForHours in HAPAX_WEBHOOKS.`,
        ),
    );
  }
}

function handlersOf(flow: AnyFlow): EventHandler[] {
  const begins = flow.on === undefined ? [] : [{ kind: 'begins', name: flow.name, flow, on: flow.on } as const];
  const ends = Object.entries(flow.steps).flatMap(([step, declared]) =>
    declared.effect === 'await' && declared.on !== undefined
      ? [{ kind: 'ends', name: `${flow.name}.${step}`, flow, step, on: declared.on } as const]
      : [],
  );
  return [...begins, ...ends];
}
