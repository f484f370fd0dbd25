import { domainToUnicode } from 'node:url';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { comparableAddress, comparableAddressOf } from '../../activities/accounts/comparable-address.ts';

const local = fc.stringMatching(/^[a-zA-Z0-9_+äöüßéıſﬁÅΣ]{1,20}$/);
const label = fc.stringMatching(/^[a-zäöüé][a-z0-9äöüé]{0,20}$/);
const domain = fc.array(label, { minLength: 1, maxLength: 3 }).map((labels) => [...labels, 'example'].join('.'));
const address = fc.tuple(local, domain).map((parts) => parts.join('@'));

describe('the form by which addresses are compared', () => {
  it('is its own form', () => {
    fc.assert(
      fc.property(address, (one) => {
        const form = comparableAddressOf(one);
        fc.pre(form !== undefined);
        expect(comparableAddress(form as string)).toBe(form);
      }),
    );
  });

  it('is the same for each case, composition and spelling of the domain', () => {
    fc.assert(
      fc.property(address, (one) => {
        const form = comparableAddressOf(one);
        fc.pre(form !== undefined);
        const [before = '', host = ''] = (form as string).split('@');
        const ascii = fc.sample(fc.constant(before.replaceAll(/[a-z]/g, (letter) => letter.toUpperCase())), 1)[0];
        for (const other of [
          one.normalize('NFD'),
          one.normalize('NFC'),
          `${before}@${host.toUpperCase()}`,
          `${before}@${domainToUnicode(host)}`,
          `${ascii}@${host}`,
        ])
          expect(comparableAddress(other)).toBe(form);
      }),
    );
  });

  it.each([
    ['Ann@Example.COM', 'ann@example.com'],
    ['ann@bücher.example', 'ann@xn--bcher-kva.example'],
    ['ann@XN--BCHER-KVA.example', 'ann@xn--bcher-kva.example'],
    ['ａｎｎ@ｅｘａｍｐｌｅ.com', 'ann@example.com'],
    ['José@example.com', 'jos\u00e9@example.com'],
    ['Jose\u0301@example.com', 'jos\u00e9@example.com'],
    // What stands behind a plus is part of the address.
    ['ann+shop@example.com', 'ann+shop@example.com'],
  ])('of %s is %s', (one, form) => {
    expect(comparableAddress(one)).toBe(form);
  });

  it('keeps letters of other scripts apart that look alike', () => {
    expect(comparableAddress('ann@b\u0430nk.example')).not.toBe(comparableAddress('ann@bank.example'));
    expect(comparableAddress('\u0430nn@example.com')).not.toBe(comparableAddress('ann@example.com'));
  });

  it.each([
    'ann',
    '@example.com',
    'ann@',
    'ann@example.com\r\nBcc: bob@example.com',
    'a b@example.com',
    'ann@-a-.com',
    '"a"@b.example',
  ])('is none for %j', (one) => {
    expect(comparableAddressOf(one)).toBeUndefined();
  });
});
