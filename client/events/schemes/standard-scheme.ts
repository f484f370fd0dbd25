import { Webhook, WebhookVerificationError } from 'standardwebhooks';
import { EventFault } from '../event-fault.ts';
import { type Delivery, expectFew, expectRecent, headerOf, jsonOf, memberOf, type Said } from './scheme.ts';

/**
 * Standard Webhooks: id, time and body are signed, in three headers.
 * @throws EventFault
 */
export function saidByStandard(delivery: Delivery, secrets: readonly string[]): Said {
  const id = headerOf(delivery, 'webhook-id');
  const time = headerOf(delivery, 'webhook-timestamp');
  const signature = headerOf(delivery, 'webhook-signature');
  expectFew(signature.split(' ').length);
  expectRecent(Number(time) * 1_000);
  const headers = { 'webhook-id': id, 'webhook-timestamp': time, 'webhook-signature': signature };
  if (!secrets.some((secret) => holds(delivery.body, headers, secret)))
    throw new EventFault('signature-invalid', 'No secret of this source has made the signature.');
  const data = jsonOf(delivery);
  return {
    id,
    type: memberOf(data, 'type'),
    object: memberOf(data, 'data.id'),
    sentAt: new Date(Number(time) * 1_000),
    data,
  };
}

function holds(body: Buffer, headers: Readonly<Record<string, string>>, secret: string): boolean {
  try {
    new Webhook(secret).verify(body, { ...headers }, { jsonParse: false });
    return true;
  } catch (error) {
    if (error instanceof WebhookVerificationError) return false;
    throw error;
  }
}
