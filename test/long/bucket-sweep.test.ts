import { randomBytes } from 'node:crypto';
import { expect, inject, test } from 'vitest';
import { OwnBucket } from '../support/own-bucket.ts';

/** Objects that an operation whose row is gone has left. */
const leftovers = 10_000;

test('10,000 objects that no row explains are removed in under a minute', async (context) => {
  const own = await OwnBucket.create(inject('ground'), { upkeep: false });
  context.onTestFinished(async () => await own.close());
  const nobodys = () => `uploads/op_${randomBytes(13).toString('hex')}/whole-1`;
  await Promise.all(Array.from({ length: leftovers }, async () => await own.leave(nobodys())));
  const began = Date.now();
  const { report, code } = await own.sweep();
  const took = Date.now() - began;
  console.log(`${leftovers} objects were removed in ${took} ms`);
  expect([code, report.counts.removed]).toEqual([0, leftovers]);
  expect(took).toBeLessThan(60_000);
});
