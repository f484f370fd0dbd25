import { describe, expect, it } from 'vitest';
import { readNatsAddress } from '../../activities/stores/nats/nats-address.ts';
import { readConfig } from '../../workers/config.ts';

const plain = { tls: false, credentials: undefined };

it.each([
  ['nats://127.0.0.1:4222', { ...plain, servers: ['127.0.0.1:4222'] }],
  ['nats://[::1]:4222/', { ...plain, servers: ['[::1]:4222'] }],
  ['tls://broker.example.com', { ...plain, tls: true, servers: ['broker.example.com'] }],
  ['nats://a:4222, nats://b:4222', { ...plain, servers: ['a:4222', 'b:4222'] }],
  ['nats://ann:p%23%2C%2F@a', { ...plain, servers: ['a'], credentials: { user: 'ann', pass: 'p#,/' } }],
  ['nats://token@a', { ...plain, servers: ['a'], credentials: { token: 'token' } }],
])('is an address: %s', (address, read) => {
  expect(readNatsAddress(address)).toEqual(read);
  expect(readConfig(['NATS_URL'], { NATS_URL: address })).toEqual({ NATS_URL: address });
});

describe.each([
  ['no host', 'nats:///hush'],
  ['another protocol', 'http://ann:hush@broker'],
  ['a password alone', 'nats://:hush@broker'],
  ['a # in its password', 'nats://ann:p#hush@broker'],
  ['a # after figures', 'nats://ann:12#hush@broker'],
  ['a / after figures', 'nats://ann:12/hush@broker'],
  ['a ? after figures', 'nats://ann:12?hush@broker'],
  ['a , in its password', 'nats://ann:12,hush@broker'],
  ['a % in its password', 'nats://ann:100%hush@broker'],
  ['one server of two', 'nats://a,hush'],
])('an address with %s', (_, address) => {
  it('is refused at the start, and its password is not told', () => {
    expect(() => readConfig(['NATS_URL'], { NATS_URL: address })).toThrow(
      /^(?!.*hush).*NATS_URL is no address: give the address of NATS/s,
    );
  });
});
