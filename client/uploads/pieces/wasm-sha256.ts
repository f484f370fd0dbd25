import { createSHA256, type IHasher } from 'hash-wasm';
import type { Sha256 } from './sha256.ts';

/** One hasher serves all uploads of a process, one update at a time: each has memory of its own, and few fit. */
const hasher: IHasher = await createSHA256();
const beginning = hasher.init().save();

/** hash-wasm's SHA-256. A state begins with the digest of the code that wrote it, and no other build reads it. */
export const wasmSha256: Sha256 = {
  tag: `hash-wasm/sha256/${Buffer.from(beginning.subarray(0, 4)).toString('hex')}`,
  beginning,
  update: (state, bytes) => {
    hasher.load(state);
    return hasher.update(bytes).save();
  },
  digest: (state) => {
    hasher.load(state);
    return hasher.digest('hex');
  },
};
