import type { MailMessage, SmsMessage } from '../activities/delivery/declared-message.ts';
import { connectSenders, senderFaults } from '../activities/delivery/connect-senders.ts';
import { deliveryGuard } from '../activities/delivery/delivery-guard.ts';
import { mailOutlet, type Outlet, type Outlets, smsOutlet } from '../activities/delivery/outlet.ts';
import { mailMessages } from '../activities/mail/mail-messages.ts';
import { Database } from '../activities/stores/postgres/database.ts';
import { type Channel, countDeliveries } from '../activities/stores/postgres/outbox/due-deliveries.ts';
import type { Check } from '../client/http/health/readiness.ts';
import { seconds } from '../workflows/operation/duration.ts';
import { type Config, ConfigFault, readConfig } from './config.ts';
import { DeliveryLoop, type DeliveryRows } from './delivery-loop.ts';
import { deliveryRows } from './delivery-rows.ts';
import { Ground } from './ground.ts';
import { createLogger } from './logger.ts';
import { healthSettings, type Running, runProcess, serveHealth } from './process.ts';
import { readSeals, sealSettings } from './seals.ts';
import { watchGuards } from './system-guards.ts';
import { messages, messagesSent } from './telemetry.ts';
import { webhookLoop } from './webhook-loop.ts';

export const mailSettings = [
  'DATABASE_URL',
  'SMTP_URL',
  'MAIL_FROM',
  'HAPAX_PUBLIC_URL',
  'HAPAX_HTTP_PORT',
  'MAIL_PROVIDER_URL',
  'MAIL_PROVIDER_KEY',
  'SMS_PROVIDER_URL',
  'SMS_PROVIDER_KEY',
  'HAPAX_WEBHOOK_LOOPBACK',
  'HAPAX_PROTECTION',
  ...sealSettings,
  ...healthSettings,
  'HAPAX_LOG_LEVEL',
] as const;

/** Eight messages and 32 webhooks at once, each a short statement at a time, and the look for more. */
const connections = 4;
/** Gauges are scraped every 15 s or so. */
const countEvery = seconds(10);

/** What a test may add: messages of its own, and boundaries at which it stops the sender. */
type Extension = {
  readonly mails?: readonly MailMessage[];
  readonly texts?: readonly SmsMessage[];
  readonly outlets?: (own: Outlets) => Outlets;
  readonly rows?: (own: DeliveryRows) => DeliveryRows;
};

/** The channels to people. */
type ToPeople = Exclude<Channel, 'webhook'>;

const waits: Readonly<Record<ToPeople, string>> = {
  mail: 'Mail waits in the outbox: set SMTP_URL, or MAIL_PROVIDER_URL with MAIL_PROVIDER_KEY, and MAIL_FROM.',
  sms: 'Text messages wait in the outbox: set SMS_PROVIDER_URL.',
};

/** Lets mail, text messages and webhooks leave from the outbox. Several such processes share the work. */
export async function startMail(
  config: Pick<Config, (typeof mailSettings)[number]>,
  { mails = [], texts = [], outlets: extend = (own) => own, rows: wrap = (own) => own }: Extension = {},
): Promise<Running> {
  const faults = senderFaults(config);
  if (faults.length > 0) throw new ConfigFault(`Cannot start:\n  ${faults.join('\n  ')}`);
  const seals = readSeals(config);
  const log = createLogger('mail', config.HAPAX_LOG_LEVEL);
  const database = new Database(config.DATABASE_URL, 'hapax_upkeep', connections);
  const ground = await Ground.prove(database, undefined, log);
  const watch = watchGuards(['mail', 'sms'], log);
  const parts = (channel: ToPeople, { called }: { readonly called: string }) => ({
    guard: deliveryGuard(channel, called, watch, config.HAPAX_PROTECTION),
    seals,
  });
  const { mail, sms } = connectSenders(config);
  const own = new Map<ToPeople, Outlet>([
    ...(mail
      ? [['mail', mailOutlet(mail, [...mailMessages(publicUrlOf(config)), ...mails], parts('mail', mail))] as const]
      : []),
    ...(sms ? [['sms', smsOutlet(sms, texts, parts('sms', sms))] as const] : []),
  ]);
  const channels: readonly Check[] = (['mail', 'sms'] as const).map((channel) => checkOf(channel, own.get(channel)));
  for (const { state, says } of channels) log[state === 'holds' ? 'info' : 'warn'](says);
  const loop = new DeliveryLoop({
    rows: wrap(deliveryRows(database)),
    outlets: extend(own),
    log,
    count: (channel, became) => messagesSent.inc({ channel, became }),
  });
  const webhooks = webhookLoop({
    ...{ database, seals, log, outlets: extend, rows: wrap },
    loopback: config.HAPAX_WEBHOOK_LOOPBACK === 'on',
    protection: config.HAPAX_PROTECTION,
  });
  const counting = setInterval(() => void count(database).catch(() => undefined), countEvery);
  const health = await serveHealth(config, async () => [
    loop.well && webhooks.well
      ? { name: 'outbox', state: 'holds', says: 'The last look at the outbox went well.' }
      : { name: 'outbox', state: 'failed', says: 'The last look at the outbox failed: see the log.' },
    ...channels,
    ...(await ground.checks()),
  ]);
  return {
    address: health.address,
    ended: new Promise(() => undefined),
    async stop() {
      clearInterval(counting);
      await Promise.all([loop.stop(), webhooks.stop()]);
      await health.close();
      ground.close();
      await database.close();
    },
  };
}

/** Without another address, links lead to the HTTP API of this machine. */
function publicUrlOf(config: Pick<Config, 'HAPAX_PUBLIC_URL' | 'HAPAX_HTTP_PORT'>): string {
  const { HAPAX_PUBLIC_URL: given, HAPAX_HTTP_PORT: port } = config;
  return (given ?? `http://127.0.0.1:${port}`).replace(/\/+$/, '');
}

/** Text messages are none of the product's own, so that a missing SMS provider is no fault. */
function checkOf(channel: ToPeople, outlet: Outlet | undefined): Check {
  if (outlet !== undefined) return { name: channel, state: 'holds', says: `Leaves by ${outlet.called}.` };
  return { name: channel, state: channel === 'mail' ? 'degraded' : 'holds', says: waits[channel] };
}

async function count(database: Database): Promise<void> {
  const counted = await countDeliveries(database);
  messages.reset();
  for (const { channel, state, count: value } of counted) messages.set({ channel, state }, value);
}

if (import.meta.main) await runProcess('mail', () => startMail(readConfig(mailSettings)));
