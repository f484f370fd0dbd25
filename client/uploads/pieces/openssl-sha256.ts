import { createHash } from 'node:crypto';
import { createRequire } from 'node:module';
import { endianness } from 'node:os';
import type * as Koffi from 'koffi';
import type { Sha256 } from './sha256.ts';

/** `SHA256_CTX` of OpenSSL: eight words of the hash, two of the length, 64 bytes of a block, and two numbers. Bytes. */
const stateLength = 112;
const digestLength = 32;

/**
 * The SHA-256 of the OpenSSL that Node itself has, called where it can be put aside: Node's `createHash` uses the same code
 * but keeps its state to itself. It uses the processor's own instructions, and takes a sixth of the time of WebAssembly.
 * @returns undefined where this Node does not export it, or it does not do what is expected of it
 */
export function opensslSha256(): Sha256 | undefined {
  try {
    // It has a native library for most machines, and not for all.
    const koffi = createRequire(import.meta.url)('koffi') as typeof Koffi;
    const node = koffi.load(null);
    const init = node.func('int SHA256_Init(_Out_ uint8_t *state)');
    const update = node.func('int SHA256_Update(_Inout_ uint8_t *state, const void *bytes, size_t length)');
    const final = node.func('int SHA256_Final(_Out_ uint8_t *digest, _Inout_ uint8_t *state)');
    const beginning = Buffer.alloc(stateLength);
    init(beginning);
    const found: Sha256 = {
      tag: `openssl/sha256/${endianness()}`,
      beginning,
      update: (state, bytes) => {
        update(state, bytes, bytes.length);
        return state;
      },
      digest: (state) => {
        const digest = Buffer.alloc(digestLength);
        final(digest, Buffer.from(state));
        return digest.toString('hex');
      },
    };
    return keepsItsPromise(found) ? found : undefined;
  } catch {
    return undefined;
  }
}

/** Whether a state that is put aside within a block leads to the digest that Node computes. */
function keepsItsPromise({ beginning, update, digest }: Sha256): boolean {
  const bytes = Buffer.alloc(1_000, 'a file');
  const aside = Buffer.from(update(Buffer.from(beginning), bytes.subarray(0, 333)));
  const whole = digest(update(aside, bytes.subarray(333)));
  return whole === createHash('sha256').update(bytes).digest('hex');
}
