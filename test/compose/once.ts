import { createHash, randomUUID } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { setTimeout as pause } from 'node:timers/promises';
import type { Answer, Door } from '../../workers/local/door.ts';
import type { ComposeStack } from './compose-stack.ts';

/** Pays a cart under a key. While the operation goes on, it asks again with the same key, as the answer says to do. */
export async function checkout(door: Door, key: string): Promise<Answer> {
  const body = { cartId: key, items: [{ sku: 'mug-blue', quantity: 1 }], paymentMethod: 'pm_card_visa' };
  for (let tries = 1; ; tries += 1) {
    try {
      return await door.ask('POST', '/v1/checkouts', { key, body });
    } catch (fault) {
      if (tries === 20 || !String(fault).includes('"sameKeySafe":true')) throw fault;
      await pause(1_000);
    }
  }
}

/** How often the payment provider has taken money for an operation, by its own books. */
export async function captures(stack: ComposeStack, operation: unknown): Promise<number> {
  const response = await fetch(`${stack.url('SANDBOX')}/_audit?operation=${String(operation)}`);
  const effects = (await response.json()) as { type: string }[];
  return effects.filter(({ type }) => type === 'payment_intent.captured').length;
}

/** Uploads the photograph, through the HTTP API or straight to the S3 server. */
export async function upload(door: Door, method: 'door' | 'presigned') {
  const bytes = await readFile('docs/photograph.jpg');
  const about = { name: 'photograph.jpg', size: bytes.length, type: 'image/jpeg', destination: 'photographs' };
  const sha256 = createHash('sha256').update(bytes).digest('hex');
  const body = method === 'door' ? about : { ...about, transfer: 'presigned', sha256 };
  const announced = await door.ask('POST', '/v1/uploads', { key: randomUUID(), body });
  const id = String(announced.body['id']);
  const { url, headers } = announced.body['transfer'] as { url: string; headers: Record<string, string> };
  const { host, status } = await door.put(url, headers, bytes);
  if (method === 'presigned') await door.ask('POST', `/v1/uploads/${id}/complete`);
  return { id, host, status, settled: await door.settled(id) };
}
