import { defaultPayloadConverter } from '@temporalio/common';
import { describe, expect, it } from 'vitest';
import { KeyRing } from '../../activities/seal/key-ring.ts';
import { EncryptedPayloads, textOf } from '../../activities/seal/payload-codec.ts';
import { readConfig } from '../../workers/config.ts';
import { payloadSettings, readPayloadCodec } from '../../workers/payload-codec.ts';
import { keyOf } from '../support/seal-keys.ts';

const [former, next] = [`p1:${keyOf('p')}`, `p2:${keyOf('q')}`];
const codecOf = (keys: string, encrypts = true) => new EncryptedPayloads(KeyRing.read(keys), encrypts);
const payload = defaultPayloadConverter.toPayload({ cartId: 'a cart' }) ?? expect.unreachable();

describe('a payload of Temporal’s', () => {
  it('is decrypted to what it was, and shows nothing meanwhile', async () => {
    const codec = codecOf(former);
    const [encrypted] = await codec.encode([payload]);
    expect(Buffer.from(encrypted?.data ?? []).toString('latin1')).not.toContain('cart');
    expect(encrypted?.metadata).toEqual({
      encoding: Buffer.from('binary/encrypted'),
      'encryption-key-id': Buffer.from('p1'),
    });
    const [decrypted] = await codec.decode([encrypted ?? expect.unreachable()]);
    expect(defaultPayloadConverter.fromPayload(decrypted ?? expect.unreachable())).toEqual({ cartId: 'a cart' });
  });

  it('is decrypted after a rotation, and encrypted with the first key', async () => {
    const before = await codecOf(former).encode([payload]);
    const rotated = codecOf(`${next},${former}`);
    expect((await rotated.decode(before)).map(textOf)).toEqual([textOf(payload)]);
    const [now] = await rotated.encode([payload]);
    expect(now?.metadata?.['encryption-key-id']).toEqual(Buffer.from('p2'));
  });

  it('that was changed, or whose key is missing, is not decrypted', async () => {
    const encrypted = await codecOf(former).encode([payload]);
    await expect(codecOf(next).decode(encrypted)).rejects.toThrow(/key p1, .* add the key to HAPAX_PAYLOAD_KEYS/);
    for (const { data } of encrypted) (data as Uint8Array)[40] = ((data as Uint8Array)[40] as number) ^ 1;
    await expect(codecOf(former).decode(encrypted)).rejects.toThrow(/was changed/);
  });

  it('stays readable while encryption is off, and what was encrypted before is decrypted', async () => {
    const off = codecOf(former, false);
    expect(await off.encode([payload])).toEqual([payload]);
    const decoded = await off.decode([payload, ...(await codecOf(former).encode([payload]))]);
    expect(decoded.map(textOf)).toEqual([textOf(payload), textOf(payload)]);
  });
});

it('a process that is to encrypt and has no key does not start, and says how to make one', () => {
  const read = (environment: Record<string, string>) => readPayloadCodec(readConfig(payloadSettings, environment));
  expect(() => read({ HAPAX_PAYLOAD_CODEC: 'on' })).toThrow(
    /^Cannot start:\n {2}HAPAX_PAYLOAD_KEYS is not set.*openssl rand/s,
  );
  expect(() => read({ HAPAX_PAYLOAD_CODEC: 'on', HAPAX_PAYLOAD_KEYS: former })).not.toThrow();
  expect(() => read({})).not.toThrow();
});
