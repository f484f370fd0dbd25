import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { FingerprintUnknown, fingerprint } from '../../workflows/operation/fingerprint.ts';

const fields = ['cartId', 'items', 'paymentMethod', 'email'];
const cart = { cartId: 'c', items: [{ sku: 'mug-blue', quantity: 1 }], paymentMethod: 'pm_card_visa' };

/** The same value with the members of every object in another order. */
function turned(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(turned);
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(
    Object.entries(value)
      .toReversed()
      .map(([name, part]) => [name, turned(part)]),
  );
}

describe('a fingerprint', () => {
  it('is a permanent contract: this request has had this one from the first day', () => {
    expect(fingerprint('checkout', fields, cart, 1)).toBe(
      '8866b64c22505c24e36a294be33b1a2b8324a1b380188c5f0343270a13c5a253',
    );
  });

  it('does not depend on the order of members, and does on everything else', () => {
    fc.assert(
      fc.property(
        fc.record({ cartId: fc.jsonValue(), items: fc.jsonValue() }),
        fc.record({ cartId: fc.jsonValue(), items: fc.jsonValue() }),
        (a, b) => {
          const of = (request: Record<string, unknown>) => fingerprint('checkout', fields, request);
          expect(of(turned(a) as Record<string, unknown>)).toBe(of(a));
          const same = JSON.stringify(sorted(a)) === JSON.stringify(sorted(b));
          expect(of(a) === of(b)).toBe(same);
        },
      ),
      { numRuns: 500 },
    );
  });

  it('is another one for another flow', () => {
    expect(fingerprint('upload', fields, cart)).not.toBe(fingerprint('checkout', fields, cart));
  });

  it('leaves out what is not declared, and tells a field that is missing from one that is null', () => {
    expect(fingerprint('checkout', fields, { ...cart, traceId: 'x' })).toBe(fingerprint('checkout', fields, cart));
    expect(fingerprint('checkout', fields, { ...cart, email: null })).not.toBe(fingerprint('checkout', fields, cart));
    expect(fingerprint('checkout', fields, { ...cart, email: undefined })).toBe(fingerprint('checkout', fields, cart));
  });

  it('tells apart what JavaScript, Unicode and numbers make look alike', () => {
    const of = (cartId: unknown) => fingerprint('checkout', fields, { cartId });
    for (const [a, b] of [
      ['1', 1],
      ['caf\u00e9', 'cafe\u0301'],
      ['A', 'a'],
      ['', ' '],
      [null, 'null'],
      [[], {}],
      [
        [1, 2],
        [2, 1],
      ],
      [
        [[1], 2],
        [1, [2]],
      ],
      [{ a: { b: 1 } }, { 'a.b': 1 }],
      [0.1 + 0.2, 0.3],
      [2 ** 53 - 1, 2 ** 53 - 2],
    ])
      expect(of(a)).not.toBe(of(b));
    expect(of(1)).toBe(of(1.0));
    expect(of(-0)).toBe(of(0));
    expect(of(1e21)).toBe(of(1000000000000000000000));
  });

  it('is never made of nothing: that would be one for all requests', () => {
    expect(() => fingerprint('checkout', fields, {})).toThrow(TypeError);
    expect(() => fingerprint('checkout', [], cart)).toThrow(/selects nothing/);
  });

  it('is not guessed for a version that this build does not know', () => {
    expect(() => fingerprint('checkout', fields, cart, 99)).toThrow(FingerprintUnknown);
    expect(() => fingerprint('checkout', fields, cart, 99)).toThrow(/version 99 is unknown to this build/);
  });
});

function sorted(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(sorted);
  if (typeof value !== 'object' || value === null) return Object.is(value, -0) ? 0 : value;
  const members = Object.entries(value)
    .toSorted(([a], [b]) => (a < b ? -1 : 1))
    .map(([name, part]) => [name, sorted(part)]);
  // An object stays one: `{}` and `[]` are different intents.
  return { members };
}
