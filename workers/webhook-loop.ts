import type { Logger } from 'pino';
import type { Outlets } from '../activities/delivery/outlet.ts';
import { forEachEndpoint, WebhookOutlets } from '../activities/delivery/webhook/webhook-outlets.ts';
import { WebhookSender } from '../activities/delivery/webhook/webhook-sender.ts';
import type { ChosenProtection } from '../activities/outside/protection.ts';
import { EndpointSecrets } from '../activities/seal/endpoint-secrets.ts';
import type { Seals } from '../activities/seal/seals.ts';
import type { Database } from '../activities/stores/postgres/database.ts';
import { disableEndpoint } from '../activities/stores/postgres/outbox/webhook-endpoints.ts';
import { DeliveryLoop, type DeliveryRows } from './delivery-loop.ts';
import { webhookRows } from './delivery-rows.ts';
import { breakers, callsOutside, messagesSent, turnedAway } from './telemetry.ts';

/** Webhooks that are under way at once, each with a connection of its own. Eight endpoints that hang leave none to others. */
const atOnce = 32;

type WebhookLoopParts = {
  readonly database: Database;
  readonly seals: Seals;
  /** Whether webhooks may go to this machine. */
  readonly loopback: boolean;
  readonly protection: ChosenProtection;
  readonly log: Logger;
  /** What a test adds, to stop the sender at a boundary. */
  readonly outlets: (own: Outlets) => Outlets;
  readonly rows: (own: DeliveryRows) => DeliveryRows;
};

/** Lets webhooks leave: beside mail, so that neither takes the places of the other. */
export function webhookLoop(parts: WebhookLoopParts): DeliveryLoop {
  const { database, seals, loopback, protection, log, outlets, rows } = parts;
  const system = 'webhook';
  breakers.set({ system }, 0);
  const sender = new WebhookSender({
    rules: { loopback },
    secrets: new EndpointSecrets(seals),
    async disable(endpoint, because) {
      await disableEndpoint(database, endpoint, because);
      log.warn({ endpoint }, 'An endpoint for webhooks is gone, and disabled');
    },
  });
  const watch = {
    sent: (kind) => callsOutside.inc({ system, kind }),
    turnedAway: (by) => turnedAway.inc({ system, by }),
    opened(endpoint, isOpen, open) {
      breakers.set({ system }, open);
      if (isOpen)
        log.info({ endpoint }, 'A receiver of webhooks gives no clear answers, and is left alone for a moment');
      else log.info({ endpoint }, 'A receiver of webhooks answers again');
    },
  } satisfies ConstructorParameters<typeof WebhookOutlets>[1];
  const ways = new WebhookOutlets(sender, watch, protection.webhook);
  return new DeliveryLoop({
    rows: rows(webhookRows(database, forEachEndpoint)),
    outlets: outlets(new Map([['webhook', (delivery) => ways.of(delivery)]])),
    atOnce,
    forEach: forEachEndpoint,
    log,
    count: (channel, became) => messagesSent.inc({ channel, became }),
  });
}
