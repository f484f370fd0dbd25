import { describe, expect, it } from 'vitest';
import { KeyRing, KeyRingFault } from '../../activities/seal/key-ring.ts';
import { SealFault, Seals } from '../../activities/seal/seals.ts';
import { FingerprintUnknown } from '../../workflows/operation/fingerprint.ts';
import { keyOf } from '../support/seal-keys.ts';

const [former, next] = [`k1:${keyOf('a')}`, `k2:${keyOf('b')}`];
const sealsOf = (...keys: string[]) => new Seals(KeyRing.read(keys.join(',')));
const place = { tenant: 'alpha', flow: 'checkout', operation: 'op_1', field: 'email' };
const address = 'ann@example.com';

describe('a sealed value', () => {
  const seals = sealsOf(former);

  it.each([address, 'Žofie', '', { nested: ['x', 1, null] }, 4711, false])('opens as it was: %j', (value) => {
    const sealed = seals.seal(value, place);
    expect(sealed).toMatch(/^sealed:1:k1:[A-Za-z0-9_-]+$/);
    expect(seals.open(sealed, place)).toEqual(value);
  });

  it('is another one each time, so that equal values are not seen to be equal', () => {
    expect(seals.seal(address, place)).not.toBe(seals.seal(address, place));
  });

  it('is sealed whatever it looks like: what a caller copies from elsewhere neither opens nor passes as sealed', () => {
    const copied = seals.seal(address, { ...place, operation: 'another' });
    const sealed = seals.seal(copied, place);
    expect(sealed).not.toBe(copied);
    expect(seals.open(sealed, place)).toBe(copied);
  });

  it('stays as it is where a row holds it, and a plain one of the build before is sealed', () => {
    const sealed = seals.seal(address, place);
    expect(seals.resealed(sealed, place)).toBe(sealed);
    expect(seals.open(seals.resealed(address, place), place)).toBe(address);
  });

  it.each(['tenant', 'flow', 'operation', 'field'] as const)('opens nowhere else: another %s', (part) => {
    const sealed = seals.seal(address, place);
    expect(() => seals.open(sealed, { ...place, [part]: 'another' })).toThrow(SealFault);
  });

  it('does not open when any bit of it was flipped', () => {
    const sealed = seals.seal(address, place);
    const start = sealed.lastIndexOf(':') + 1;
    const bytes = Buffer.from(sealed.slice(start), 'base64url');
    for (let bit = 0; bit < bytes.length * 8; bit += 1) {
      const flipped = Buffer.from(bytes);
      flipped[bit >> 3] = (flipped[bit >> 3] as number) ^ (1 << (bit & 7));
      expect(() => seals.open(sealed.slice(0, start) + flipped.toString('base64url'), place)).toThrow(SealFault);
    }
  });

  it('does not open when it was cut', () => {
    const sealed = seals.seal(address, place);
    for (let end = sealed.lastIndexOf(':') + 2; end < sealed.length; end += 1)
      expect(() => seals.open(sealed.slice(0, end), place)).toThrow(SealFault);
  });

  it('of a key that is not here names the key and the setting, and no value', () => {
    const sealed = sealsOf(next).seal(address, place);
    expect(() => seals.open(sealed, place)).toThrow(/sealed with key k2, .* add the key to HAPAX_SEAL_KEYS/);
  });

  it('of another key under the same id does not open', () => {
    expect(() => sealsOf(`k1:${keyOf('z')}`).open(seals.seal(address, place), place)).toThrow(/cannot be opened/);
  });

  it('that the build before has stored in plain text is taken as it is', () => {
    expect(seals.open(address, place)).toBe(address);
  });
});

describe('a rotation of keys', () => {
  it('seals with the first key and opens what every key of the list has sealed', () => {
    const before = sealsOf(former).seal(address, place);
    const rotated = sealsOf(next, former);
    expect(rotated.open(before, place)).toBe(address);
    expect(rotated.seal(address, place)).toMatch(/^sealed:1:k2:/);
    expect(() => sealsOf(next).open(before, place)).toThrow(SealFault);
  });

  it('takes a fingerprint under the key that it was taken with before', () => {
    const before = sealsOf(former).mac('an intent');
    const rotated = sealsOf(next, former);
    expect(before).toMatch(/^k1:[0-9a-f]{64}$/);
    expect(rotated.mac('an intent')).not.toBe(before);
    expect(rotated.mac('an intent', 'k1')).toBe(before);
    expect(() => sealsOf(next).mac('an intent', 'k1')).toThrow(FingerprintUnknown);
  });

  it('finds equal values under the names that they had before', () => {
    const [before] = sealsOf(former).indexes(address, place);
    const [now, ...names] = sealsOf(next, former).indexes(address, place);
    expect([now, names]).toEqual([expect.stringMatching(/^k2:/), [before]]);
    expect(sealsOf(former).indexes(address, { ...place, tenant: 'beta' })).not.toContain(before);
    expect(sealsOf(former).indexes('bob@example.com', place)).not.toContain(before);
  });
});

describe('a process without keys', () => {
  it('does not store a sensitive value in plain text', () => {
    expect(() => Seals.none.seal(address, place)).toThrow(/has no keys: give it HAPAX_SEAL_KEYS/);
    expect(() => Seals.none.mac('an intent')).toThrow(/has no keys: give it HAPAX_SEAL_KEYS/);
  });
});

describe('a list of keys', () => {
  it('is separated by commas, blanks or lines, as people write files', () => {
    for (const separator of [',', ' ', '\n', ',\n  '])
      expect(new Seals(KeyRing.read(`${next}${separator}${former}\n`)).indexes('x', place)).toHaveLength(2);
  });

  it.each([
    ['', 'there is no key'],
    [keyOf('a'), 'entry 1 has no usable id'],
    [`${former},K2:${keyOf('b')}`, 'entry 2 has no usable id'],
    ['k1:c2hvcnQ=', 'key k1 is not 32 bytes in base64'],
    [`k1:${keyOf('a').slice(0, -4)}`, 'key k1 is not 32 bytes in base64'],
    [`${former},k1:${keyOf('b')}`, 'two keys have the id k1'],
  ])('that cannot be used says why, and how to make a key: %j', (text, why) => {
    expect(() => KeyRing.read(text)).toThrow(KeyRingFault);
    expect(() => KeyRing.read(text)).toThrow(why);
  });

  it('is never told, whatever is wrong with it', () => {
    const secret = keyOf('s');
    for (const text of [secret, `k1:${secret},k1:${secret}`, `Ä:${secret}`, `k1:x${secret}`])
      expect(() => KeyRing.read(text)).toThrow(new RegExp(`^(?!.*${secret.slice(0, 8)})`, 's'));
  });
});
