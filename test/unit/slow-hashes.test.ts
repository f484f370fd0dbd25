import { parseOptions, verify } from '@node-rs/argon2';
import { expect, it } from 'vitest';
import { HashesBusy, SlowHashes } from '../../activities/seal/slow-hashes.ts';

/** Hashes that end when the test says so. */
function held() {
  const { promise, resolve } = Promise.withResolvers<void>();
  const begun: string[] = [];
  const hashes = new SlowHashes(async (secret) => {
    begun.push(secret);
    await promise;
    return `hash of ${secret}`;
  });
  return { hashes, begun, resolve };
}

it('a password becomes an argon2id hash with a salt of its own', async () => {
  const hashes = new SlowHashes();
  const [one, two] = await Promise.all([hashes.hash('correct horse'), hashes.hash('correct horse')]);
  expect(one).not.toBe(two);
  // 2 is argon2id.
  expect(parseOptions(one as string)).toMatchObject({ algorithm: 2, memoryCost: 19_456, timeCost: 2, parallelism: 1 });
  expect([await verify(one as string, 'correct horse'), await verify(one as string, 'other horse')]).toEqual([
    true,
    false,
  ]);
});

it('two keyboards that compose a letter differently write one password', async () => {
  const hash = await new SlowHashes().hash('pa\u0308sswo\u0308rter');
  expect(await verify(hash, 'p\u00e4ssw\u00f6rter')).toBe(true);
});

it('a crowd is hashed two at a time, and what would wait too long is turned away at once', async () => {
  const { hashes, begun, resolve } = held();
  const all = Array.from({ length: 50 }, (_, n) => hashes.hash(`password ${n}`).catch((error: unknown) => error));
  await new Promise((done) => setImmediate(done));
  expect(begun).toHaveLength(2);
  resolve();
  const ended = await Promise.all(all);
  const busy = ended.filter((one) => one instanceof HashesBusy);
  expect([busy.length, begun.length]).toEqual([50 - 34, 34]);
  expect(busy[0]?.retryAfter).toBe(2);
  await expect(hashes.hash('later')).resolves.toBe('hash of later');
});
