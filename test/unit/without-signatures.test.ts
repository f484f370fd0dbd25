import { afterEach, beforeEach, expect, it, onTestFinished, vi } from 'vitest';
import { presignPart } from '../../activities/stores/s3/multipart/presign-part.ts';
import { openObjectStore } from '../../activities/stores/s3/object-store.ts';
import { presignPut } from '../../activities/stores/s3/presign-put.ts';
import { withoutSignatures } from '../../client/http/operations/live/without-signatures.ts';

beforeEach(() => vi.useFakeTimers({ toFake: ['Date'] }));
afterEach(() => vi.useRealTimers());

/** An upload as callers see it, signed now. */
async function signed(arrived: readonly number[] = []): Promise<string> {
  const store = openObjectStore({
    ...{ endpoint: 'http://store.test:9000', publicEndpoint: undefined, region: 'us-east-1', bucket: 'files' },
    ...{ accessKeyId: 'id', secretAccessKey: 'secret' },
  });
  onTestFinished(() => store.close());
  const owner = { operation: 'op_1', tenant: 'alpha' };
  const object = { key: 'a', size: 3, type: 'text/plain', sha256: '00'.repeat(32), ...owner };
  const part = { objectKey: 'a', s3UploadId: 'u', part: 1, size: undefined, checksum: undefined };
  const parts = [await presignPart(store, part, 60_000)];
  const put = await presignPut(store, object, 60_000);
  return JSON.stringify({ id: 'op_1', says: 'Sure? "Yes"', transfer: { ...put, arrived, parts }, last: '?' });
}

it('two answers that differ by their signatures alone say the same, and what has come is news', async () => {
  vi.setSystemTime('2026-01-02T03:04:05Z');
  const first = await signed();
  vi.setSystemTime('2026-01-02T03:04:20Z');
  const second = await signed();
  expect(second).not.toBe(first);
  expect(withoutSignatures(second)).toBe(withoutSignatures(first));
  expect(withoutSignatures(await signed([1]))).not.toBe(withoutSignatures(first));
});

it('leaves out nothing but the signed queries', async () => {
  const shown = JSON.parse(withoutSignatures(await signed())) as { transfer: { parts: { url: string }[] } };
  expect(shown).toMatchObject({
    ...{ id: 'op_1', says: 'Sure? "Yes"', last: '?' },
    transfer: { url: 'http://store.test:9000/files/a', parts: [{ url: 'http://store.test:9000/files/a' }] },
  });
  const bank = JSON.stringify({ url: 'https://bank.test/confirm?payment=1&secret=2' });
  expect(withoutSignatures(bank)).toBe(bank);
});
