import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { isPublicAddress } from '../../activities/endpoint-address/public-address.ts';

describe('an address is public', () => {
  it.each([
    ...['8.8.8.8', '1.1.1.1', '93.184.216.34', '172.15.255.255', '172.32.0.0', '100.63.255.255', '100.128.0.0'],
    ...['169.253.255.255', '192.167.255.255', '223.255.255.255', '198.17.255.255', '198.20.0.0'],
    ...['2606:4700:4700::1111', '2a00:1450:4001:82a::200e', '2001:4860:4860::8888', '2001:200::1', '3ffe::1'],
  ])('where it is of the Internet: %s', (address) => {
    expect(isPublicAddress(address)).toBe(true);
  });

  it.each([
    ['this network', '0.0.0.0', '0.1.2.3'],
    ['private', '10.0.0.1', '10.255.255.255', '172.16.0.1', '172.31.255.255', '192.168.0.1'],
    ['shared by a carrier', '100.64.0.1', '100.127.255.255'],
    ['loopback', '127.0.0.1', '127.255.255.254', '::1'],
    ['the metadata of a cloud, and link-local', '169.254.169.254', '169.254.0.1', 'fe80::1', 'febf::1'],
    [
      'of a protocol, of documents or of benchmarks',
      '192.0.0.1',
      '192.0.2.1',
      '198.51.100.1',
      '203.0.113.1',
      '198.18.0.1',
    ],
    ['multicast', '224.0.0.1', '239.255.255.255', 'ff02::1'],
    ['reserved, and broadcast', '240.0.0.1', '255.255.255.255'],
    ['unspecified', '::'],
    ['unique local, and site-local', 'fc00::1', 'fd00:ec2::254', 'fec0::1'],
    ['IPv4 in IPv6', '::ffff:8.8.8.8', '::ffff:127.0.0.1', '::ffff:a9fe:a9fe', '::127.0.0.1', '::8.8.8.8'],
    ['IPv4 behind NAT64', '64:ff9b::7f00:1', '64:ff9b::808:808', '64:ff9b:1::a00:1'],
    ['IPv4 in 6to4 and Teredo', '2002:7f00:1::', '2002:808:808::1', '2001::1', '2001:0:4136:e378::1'],
    ['of documents', '2001:db8::1', '3fff::1', '3fff:fff::1'],
    ['not routed', '4000::1', '100::1', '1fff::1', '5f00::1'],
    ['of a protocol of the IETF', '2001:10::1', '2001:20::1', '2001:5::1', '2001:1ff::1', '2620:4f:8000::1'],
    [
      'no address as a resolver has it',
      '',
      'localhost',
      '8.8.8',
      '010.8.8.8',
      '0x8080808',
      '134744072',
      '8.8.8.8.',
      ' 8.8.8.8',
    ],
    ['an address with a zone or brackets', 'fe80::1%eth0', '2606:4700::1%eth0', '[2606:4700::1]'],
  ])('not where it is %s', (_, ...addresses) => {
    expect(addresses.filter(isPublicAddress)).toEqual([]);
  });

  it('never where it lies outside what is routed, or in what wraps IPv4', () => {
    const groups = fc.array(fc.integer({ min: 0, max: 0xffff }), { minLength: 8, maxLength: 8 });
    fc.assert(
      fc.property(groups, (words) => {
        const [first = 0, second = 0] = words;
        const text = words.map((word) => word.toString(16)).join(':');
        const routed = first >= 0x2000 && first <= 0x3fff;
        const wraps = first === 0x2002 || (first === 0x2001 && (second < 0x200 || second === 0xdb8));
        if (!routed || wraps) expect([text, isPublicAddress(text)]).toEqual([text, false]);
      }),
      { numRuns: 2_000 },
    );
    // The first group decides nearly all: each of them once.
    const firsts = Array.from({ length: 0x10000 }, (_, first) => first);
    const outside = firsts.filter((first) => first < 0x2000 || first > 0x3fff || first === 0x2002);
    expect(outside.filter((first) => isPublicAddress(`${first.toString(16)}:1:2:3:4:5:6:7`))).toEqual([]);
  });

  it('by IPv4 exactly where no list of ours has it', () => {
    const inside = (from: readonly number[], bits: number) => (address: number) =>
      address >>> (32 - bits) === number(from) >>> (32 - bits);
    const ours = [
      ...[inside([10, 0, 0, 0], 8), inside([172, 16, 0, 0], 12), inside([192, 168, 0, 0], 16)],
      ...[inside([127, 0, 0, 0], 8), inside([169, 254, 0, 0], 16), inside([100, 64, 0, 0], 10)],
      ...[inside([0, 0, 0, 0], 8), inside([224, 0, 0, 0], 4), inside([240, 0, 0, 0], 4)],
      ...[inside([192, 0, 0, 0], 24), inside([192, 0, 2, 0], 24), inside([198, 18, 0, 0], 15)],
      ...[inside([198, 51, 100, 0], 24), inside([203, 0, 113, 0], 24), inside([192, 88, 99, 0], 24)],
      // Of services that answer for whoever asks (RFC 7534, 7535, 7450).
      ...[inside([192, 175, 48, 0], 24), inside([192, 31, 196, 0], 24), inside([192, 52, 193, 0], 24)],
    ];
    fc.assert(
      fc.property(fc.ipV4(), (text) => {
        const address = number(text.split('.').map(Number));
        expect([text, isPublicAddress(text)]).toEqual([text, !ours.some((has) => has(address))]);
      }),
      { numRuns: 2_000 },
    );
  });
});

function number(parts: readonly number[]): number {
  return parts.reduce((all, part) => ((all << 8) | part) >>> 0, 0);
}
