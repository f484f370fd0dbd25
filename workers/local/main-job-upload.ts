import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { basename } from 'node:path';
import type { Door } from './door.ts';
import type { Say } from './say.ts';

type Transfer = { method: string; url: string; headers: Record<string, string> };

/** One real photograph: announced, sent, processed, and announced again with the same key, which finds it done. */
export async function uploadOnce(options: {
  door: Door;
  key: string;
  photograph: string;
  say: Say;
}): Promise<string | undefined> {
  const { door, key, say } = options;
  const bytes = await readFile(options.photograph);
  const body = {
    name: basename(options.photograph),
    size: bytes.length,
    type: 'image/jpeg',
    sha256: createHash('sha256').update(bytes).digest('hex'),
    destination: 'photographs',
  };
  say(`Upload: ${body.name}, ${(bytes.length / 1_000_000).toFixed(1)} MB, with the key ${key}`);
  const announced = await door.ask('POST', '/v1/uploads', { key, body });
  const id = String(announced.body['id']);
  const transfer = announced.body['transfer'] as Transfer | undefined;
  say(`  announced: ${announced.status}, operation ${id}, ${announced.body['state']}`);
  const started = Date.now();
  if (transfer) {
    const { status, host } = await door.put(transfer.url, transfer.headers, bytes);
    say(`  sent by ${transfer.method} to ${host}: ${status}`);
  }
  const settled = await door.settled(id);
  if (settled.body['state'] !== 'succeeded')
    throw new Error(`The upload ended ${settled.body['state']}: ${settled.text}`);
  say(`  succeeded ${Date.now() - started} ms after the first byte`);
  const again = await door.ask('POST', '/v1/uploads', { key, body });
  if (again.body['id'] !== id || again.body['state'] !== 'succeeded') {
    throw new Error(`Announced again with the same key, the upload should be done, but is: ${again.text}`);
  }
  say('  announced again with the same key: the same operation, done, nothing to send');
  return announced.workflowId ?? settled.workflowId;
}
