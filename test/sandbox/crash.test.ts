import { constants } from 'node:fs';
import { appendFile, readdir, readFile, readlink, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { startSandbox } from '../../workers/sandbox/sandbox.ts';
import { authorise, providerAt, refusalOf, startProvider, temporaryDirectory, visa } from './provider.ts';
import { spawnSandbox } from './spawned-sandbox.ts';

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
  expect(authorised).toHaveLength(300);
  expect(new Set(authorised.map((effect) => effect.idempotencyKey))).toEqual(new Set(sent));
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

test('dies rather than answer what does not fit on the disk any more, and forgets it', async () => {
  const data = await temporaryDirectory();
  const first = await spawnSandbox(data, { limitKiB: 16 });
  const answered: string[] = [];
  let failure: { type: string } | undefined;
  for (let i = 0; failure === undefined; i++) {
    await first.stripe.paymentIntents.create(visa, { idempotencyKey: `key ${i}` }).then(
      ({ id }) => answered.push(id),
      (error) => (failure = error),
    );
  }
  expect(failure).toMatchObject({ type: 'StripeConnectionError' });
  const [code] = await first.exit;
  expect(code).toBeGreaterThan(0);
  expect((await stat(join(data, 'journal.jsonl'))).size).toBe(16 * 1024);

  const second = await startProvider({ data });
  expect((await second.effects()).map((effect) => effect.object)).toEqual(answered);
});

test.runIf(process.platform === 'linux')('lets no write of its journal return before it is on the disk', async () => {
  const data = await temporaryDirectory();
  await startProvider({ data });
  const journal = join(data, 'journal.jsonl');
  const flags: number[] = [];
  for (const fd of await readdir('/proc/self/fd')) {
    const target = await readlink(`/proc/self/fd/${fd}`).catch(() => undefined);
    const info = target === journal ? await readFile(`/proc/self/fdinfo/${fd}`, 'utf8') : '';
    const octal = /flags:\s*(\d+)/.exec(info)?.[1];
    if (octal !== undefined) flags.push(Number.parseInt(octal, 8));
  }
  expect(flags.map((bits) => bits & constants.O_DSYNC)).toEqual([constants.O_DSYNC]);
});

test('leaves the journal alone when its port is taken', async () => {
  const data = await temporaryDirectory();
  const first = await startProvider({ data });
  await first.stripe.paymentIntents.create(visa, { idempotencyKey: 'a' });
  const journal = join(data, 'journal.jsonl');
  await appendFile(journal, 'half of a line that is being written');
  const { size } = await stat(journal);
  await expect(startSandbox({ data, port: Number(new URL(first.url).port) })).rejects.toThrow('EADDRINUSE');
  expect((await stat(journal)).size).toBe(size);
});
