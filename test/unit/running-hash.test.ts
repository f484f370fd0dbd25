import { createHash, randomBytes } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { opensslSha256 } from '../../client/uploads/pieces/openssl-sha256.ts';
import { RunningHash } from '../../client/uploads/pieces/running-hash.ts';
import type { Sha256 } from '../../client/uploads/pieces/sha256.ts';
import { wasmSha256 } from '../../client/uploads/pieces/wasm-sha256.ts';

const bytes = randomBytes(300);
const expected = createHash('sha256').update(bytes).digest('hex');

describe.each<[string, Sha256 | undefined]>([
  ['OpenSSL', opensslSha256()],
  ['WebAssembly', wasmSha256],
])('the SHA-256 of %s', (_name, sha256) => {
  it('is there', () => {
    expect(sha256).toBeDefined();
  });

  it('is the same wherever its state was put aside', () => {
    const { beginning, update, digest } = sha256 as Sha256;
    for (let at = 0; at <= bytes.length; at += 1) {
      const aside = Buffer.from(update(Buffer.from(beginning), bytes.subarray(0, at)));
      expect(digest(update(Buffer.from(aside), bytes.subarray(at))), `put aside after ${at} bytes`).toBe(expected);
      expect(digest(aside), `the state after ${at} bytes was not used up`).toBe(
        createHash('sha256').update(bytes.subarray(0, at)).digest('hex'),
      );
    }
  });

  it('goes on from a state that a process with it has saved, and leaves that state as it is', () => {
    const { tag, beginning, update } = sha256 as Sha256;
    const saved = { tag, state: Buffer.from(update(Buffer.from(beginning), bytes.subarray(0, 100))) };
    for (const _time of ['first', 'second']) {
      const hash = RunningHash.resume(saved);
      hash?.update(bytes.subarray(100));
      expect(hash?.digest()).toBe(expected);
      expect(hash?.save().tag).toBe(tag);
    }
  });
});

it('begins anew each time, with the faster one', () => {
  const [one, other] = [RunningHash.begin(), RunningHash.begin()];
  one.update(bytes);
  expect(one.digest()).toBe(expected);
  expect(other.digest()).toBe(createHash('sha256').digest('hex'));
  expect(one.save().tag).toMatch(/^openssl\//);
});

it('does not read what an unknown implementation has saved', () => {
  expect(RunningHash.resume({ ...RunningHash.begin().save(), tag: 'another build' })).toBeUndefined();
});
