import { LRUCache } from 'lru-cache';
import { days, seconds } from '../../../workflows/operation/duration.ts';
import { whileCallingOut } from '../../../workflows/operation/retry-schedule.ts';
import type { Guard, GuardedCall } from '../../engine/guard.ts';
import { SystemGuard, type TurnedAwayBy } from '../../engine/system-guard.ts';
import { type Protection, usualProtection } from '../../outside/protection.ts';
import { HeldBack } from '../../stores/outcomes/held-back.ts';
import { Refused } from '../../stores/outcomes/refused.ts';
import { Throttled } from '../../stores/outcomes/throttled.ts';
import type { Delivery, Webhook } from '../../stores/postgres/outbox/due-deliveries.ts';
import type { Outlet } from '../outlet.ts';
import { longestCall, type WebhookSender } from './webhook-sender.ts';

/** Webhooks of one endpoint that are under way at once: one that hangs leaves the other places to the others. */
export const forEachEndpoint = 4;

/** A receiver that is down on a Friday is up again on Monday. */
const patience = days(3);

/** A receiver that asks us to wait and does not say for how long. */
const usualQuiet = seconds(5);

/** Endpoints whose state one process remembers: a few megabytes at most. */
const mostEndpoints = 10_000;

const endpointProtection: Protection = {
  ...usualProtection,
  atOnce: forEachEndpoint,
  // Five failures are enough to leave one receiver alone: nothing is lost by it.
  lastCalls: 10,
  // Nobody waits at a screen for a webhook.
  halfOpenAfter: seconds(30),
};

type Watch = {
  readonly sent: (kind: GuardedCall['kind']) => void;
  readonly turnedAway: (by: TurnedAwayBy) => void;
  /** @param open how many endpoints are left alone now */
  readonly opened: (endpoint: string, isOpen: boolean, open: number) => void;
};

/** The ways out of webhooks: one for each endpoint, with a breaker of its own. */
export class WebhookOutlets {
  readonly #sender: Pick<WebhookSender, 'send'>;
  readonly #protection: Protection;
  readonly #watch: Watch;
  readonly #open = new Set<string>();
  readonly #outlets: LRUCache<string, Outlet>;

  /** @param chosen what a deployment has chosen under `webhook` */
  constructor(sender: Pick<WebhookSender, 'send'>, watch: Watch, chosen: Partial<Protection> = {}) {
    this.#sender = sender;
    this.#watch = watch;
    this.#protection = { ...endpointProtection, ...chosen };
    this.#outlets = new LRUCache({ max: mostEndpoints, dispose: (_, endpoint) => this.#opened(endpoint, false) });
  }

  /** @throws TypeError where it is no webhook */
  of({ webhook }: Delivery): Outlet {
    const { endpoint } = expectWebhook(webhook);
    const known = this.#outlets.get(endpoint);
    if (known !== undefined) return known;
    const outlet = this.#outlet(endpoint);
    this.#outlets.set(endpoint, outlet);
    return outlet;
  }

  #outlet(endpoint: string): Outlet {
    const { guard } = new SystemGuard('the receiver', this.#protection, {
      sent: this.#watch.sent,
      turnedAway: this.#watch.turnedAway,
      opened: (isOpen) => this.#opened(endpoint, isOpen),
    });
    return {
      called: 'the receiver',
      place: endpoint,
      // Receivers take an id once: docs/outgoing-webhooks.md asks them to.
      knowsIdsFor: Number.POSITIVE_INFINITY,
      longestSend: longestCall,
      guard: quietWhenAsked(guard),
      schedule: whileCallingOut,
      endsWithPatience: true,
      declared: () => ({ repeats: 'at_least_once', patience }),
      write: (message, webhook) => {
        const to = expectWebhook(webhook);
        if (to.disabled)
          throw new Refused({
            code: 'endpoint-disabled',
            detail: 'Its endpoint is disabled: enable it again, and replay this.',
          });
        return (handing) => this.#sender.send(message, to, handing);
      },
    };
  }

  #opened(endpoint: string, isOpen: boolean): void {
    if (this.#open.has(endpoint) === isOpen) return;
    if (isOpen) this.#open.add(endpoint);
    else this.#open.delete(endpoint);
    this.#watch.opened(endpoint, isOpen, this.#open.size);
  }
}

/** A receiver that asks us to wait means all that we have for it. */
function quietWhenAsked(guard: Guard): Guard {
  let until = 0;
  return async (call, make) => {
    const left = until - performance.now();
    if (left > 0) throw new HeldBack('The receiver has asked us to wait. Nothing was sent.', Math.ceil(left));
    try {
      return await guard(call, make);
    } catch (error) {
      if (error instanceof Throttled && !(error instanceof HeldBack))
        until = performance.now() + (error.wait ?? usualQuiet);
      throw error;
    }
  };
}

function expectWebhook(webhook: Webhook | undefined): Webhook {
  if (webhook === undefined) throw new TypeError('A delivery without an endpoint is no webhook');
  return webhook;
}
