import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { appendFile, readFile, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { expect, onTestFinished, test } from 'vitest';
import { startSandbox } from '../../workers/sandbox/sandbox.ts';
import { authorise, providerAt, refusalOf, startProvider, temporaryDirectory, visa } from './provider.ts';

const main = new URL('../../workers/sandbox/main.ts', import.meta.url).pathname;

/** The sandbox as a process of its own, on the given directory. */
async function spawnSandbox(data: string) {
  const child = spawn(process.execPath, [main, '--data', data], { stdio: ['ignore', 'pipe', 'inherit'] });
  onTestFinished(() => void child.kill('SIGKILL'));
  const [line] = (await once(createInterface(child.stdout), 'line')) as [string];
  const stop = async (signal: 'SIGKILL' | 'SIGTERM') => {
    child.kill(signal);
    const [code] = await once(child, 'exit');
    return code as number | null;
  };
  return { ...providerAt((JSON.parse(line) as { url: string }).url), stop };
}

test('an effect held at its boundary survives a SIGKILL together with its stored answer', async () => {
  const data = await temporaryDirectory();
  const first = await spawnSandbox(data);
  await first.post('/_control/faults', { fault: 'hold_after' });
  const failure = refusalOf(first.stripe.paymentIntents.create(authorise, { idempotencyKey: 'a' }));
  await expect.poll(async () => (await first.effects()).length).toBe(2);
  await first.stop('SIGKILL');
  expect((await failure).type).toBe('StripeConnectionError');

  const second = await spawnSandbox(data);
  expect(await second.effects()).toHaveLength(2);
  const replay = await second.stripe.paymentIntents.create(authorise, { idempotencyKey: 'a' });
  expect(replay.lastResponse.headers['idempotent-replayed']).toBe('true');
  expect(await second.effects()).toHaveLength(2);
});

test('a request held before its effect leaves nothing behind after a SIGKILL', async () => {
  const data = await temporaryDirectory();
  const first = await spawnSandbox(data);
  await first.post('/_control/faults', { fault: 'hold_before' });
  const failure = refusalOf(first.stripe.paymentIntents.create(authorise, { idempotencyKey: 'a' }));
  await expect.poll(async () => (await first.get<{ held: unknown[] }>('/_control/faults')).held.length).toBe(1);
  await first.stop('SIGKILL');
  await failure;

  const second = await spawnSandbox(data);
  expect(await second.effects()).toEqual([]);
  await second.stripe.paymentIntents.create(authorise, { idempotencyKey: 'a' });
  expect(await second.effects()).toHaveLength(2);
});

test('whatever was answered before a SIGKILL in the middle of a load is there afterwards, once', async () => {
  const data = await temporaryDirectory();
  const first = await spawnSandbox(data);
  const answered = new Map<string, string>();
  const sent = Array.from({ length: 300 }, (_, i) => `key ${i}`);
  const queue = [...sent];
  const client = async () => {
    for (let key = queue.shift(); key !== undefined; key = queue.shift()) {
      const { id } = await first.stripe.paymentIntents.create(authorise, { idempotencyKey: key });
      answered.set(key, id);
      if (answered.size === 100) void first.stop('SIGKILL');
    }
  };
  await Promise.allSettled(Array.from({ length: 20 }, client));
  expect(answered.size).toBeLessThan(300);

  const second = await spawnSandbox(data);
  for (const key of sent) {
    const { id } = await second.stripe.paymentIntents.create(authorise, { idempotencyKey: key });
    if (answered.has(key)) expect(id).toBe(answered.get(key));
  }
  const authorised = await second.effects('?type=payment_intent.confirmed');
  expect(authorised.map((effect) => effect.idempotencyKey).sort()).toEqual([...sent].sort());
});

test('comes back from a journal with PaymentIntents, refunds, keys and audit as they were', async () => {
  const data = await temporaryDirectory();
  const first = await startSandbox({ data });
  const before = providerAt(first.url);
  const { id } = await before.stripe.paymentIntents.create(
    { ...authorise, metadata: { note: 'a\u2028b\nç' } },
    { idempotencyKey: 'a' },
  );
  const captured = await before.stripe.paymentIntents.capture(id, {}, { idempotencyKey: 'b' });
  await before.stripe.refunds.create({ payment_intent: id, amount: 4000 }, { idempotencyKey: 'c' });
  await refusalOf(before.stripe.refunds.create({ payment_intent: id, amount: 501 }, { idempotencyKey: 'd' }));
  const effects = await before.effects();
  await first.close();

  const after = await startProvider({ data });
  expect(await after.effects()).toEqual(effects);
  expect(JSON.stringify(await after.stripe.paymentIntents.retrieve(id))).toBe(JSON.stringify(captured));
  expect((await after.stripe.refunds.list({ payment_intent: id })).data).toMatchObject([{ amount: 4000 }]);
  const refused = await refusalOf(
    after.stripe.refunds.create({ payment_intent: id, amount: 501 }, { idempotencyKey: 'd' }),
  );
  expect(refused.headers?.['idempotent-replayed']).toBe('true');
});

test.each(['{"at":1', '{"at":1\n'])('forgets a torn last line %j and goes on behind the sound ones', async (torn) => {
  const data = await temporaryDirectory();
  const first = await startSandbox({ data });
  await providerAt(first.url).stripe.paymentIntents.create(visa, { idempotencyKey: 'a' });
  await first.close();
  const journal = join(data, 'journal.jsonl');
  const { size } = await stat(journal);
  await appendFile(journal, torn);

  const second = await startSandbox({ data });
  expect((await stat(journal)).size).toBe(size);
  await providerAt(second.url).stripe.paymentIntents.create(visa, { idempotencyKey: 'b' });
  await second.close();
  expect(await (await startProvider({ data })).effects()).toHaveLength(2);
});

test('does not start over a journal that is damaged before its last line', async () => {
  const data = await temporaryDirectory();
  const first = await startSandbox({ data });
  for (const idempotencyKey of ['a', 'b'])
    await providerAt(first.url).stripe.paymentIntents.create(visa, { idempotencyKey });
  await first.close();
  const journal = join(data, 'journal.jsonl');
  await writeFile(journal, (await readFile(journal, 'utf8')).replace('{', '('));
  await expect(startSandbox({ data })).rejects.toThrow('damaged at byte 0');
});

test('ends with 0 on a SIGTERM, also with connections open', async () => {
  const provider = await spawnSandbox(await temporaryDirectory());
  await provider.stripe.paymentIntents.create(visa, { idempotencyKey: 'a' });
  expect(await provider.stop('SIGTERM')).toBe(0);
});
