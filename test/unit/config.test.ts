import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import { senderFaults } from '../../activities/delivery/connect-senders.ts';
import { readConfig, readSettings } from '../../workers/config.ts';

describe('a setting at fault', () => {
  it.each([
    ['HAPAX_HTTP_PORT', 'abc', 'HAPAX_HTTP_PORT is "abc": give a port, a whole number from 0 to 65535'],
    ['HAPAX_HTTP_PORT', '65536', 'HAPAX_HTTP_PORT is "65536": give a port, a whole number from 0 to 65535'],
    ['HAPAX_S3_PORT', '80.5', 'HAPAX_S3_PORT is "80.5": give a port, a whole number from 0 to 65535'],
    ['HAPAX_NEW_PER_MINUTE', '0', 'HAPAX_NEW_PER_MINUTE is "0": give a number of operations, a whole number from 1 on'],
    ['HAPAX_LOG_LEVEL', 'loud', 'HAPAX_LOG_LEVEL is "loud": give one of trace, debug, info, warn, error, silent'],
    ['DATABASE_URL', 'nonsense', 'DATABASE_URL is no address: give the address of PostgreSQL, such as postgres://'],
    ['REDIS_URL', 'localhost:6379', 'REDIS_URL is no address: give the address of Redis or Valkey, such as redis://'],
    ['TEMPORAL_ADDRESS', undefined, 'TEMPORAL_ADDRESS is not set: give the address of the Temporal server'],
    ['S3_SECRET_ACCESS_KEY', '', 'S3_SECRET_ACCESS_KEY is empty: give the secret key of the S3 server'],
    [
      'STRIPE_API_BASE',
      'stripe',
      'STRIPE_API_BASE is "stripe": give the address of the payment provider, with http or https and without credentials (declared in activities/outside/payments.ts)',
    ],
    [
      'STRIPE_API_BASE',
      'https://ann:hush@stripe.test',
      'STRIPE_API_BASE does not fit: give the address of the payment provider, with http or https and without credentials',
    ],
    ['SMTP_URL', 'mail.example.com', 'SMTP_URL is no address: give the address of the mail server, such as smtps://'],
    ['SMTP_URL', 'http://mail.example.com', 'SMTP_URL is no address: give the address of the mail server'],
    ['SMTP_URL', 'smtp://', 'SMTP_URL is no address: give the address of the mail server'],
    ['MAIL_FROM', 'The shop', 'MAIL_FROM is "The shop": give it as The shop <shop@example.com>. '],
    ['MAIL_PROVIDER_URL', 'smtp://mail.example.com', 'give the address of the mail provider, with http or https'],
    [
      'STRIPE_SECRET_KEY',
      undefined,
      'STRIPE_SECRET_KEY is not set: give the secret key of the payment provider (declared in activities/outside/payments.ts)',
    ],
  ] as const)('is named with what was given and what is expected: %s=%s', (name, value, words) => {
    expect(() => readConfig([name], { [name]: value })).toThrow(words);
  });

  it('is told together with the others, a line for each', () => {
    const faulty = { HAPAX_HTTP_PORT: 'abc', HAPAX_ANSWER_CACHE: '-1' };
    expect(() => readConfig(['HAPAX_HTTP_PORT', 'HAPAX_ANSWER_CACHE', 'HAPAX_TASK_QUEUE'], faulty)).toThrow(
      /^Cannot start:\n {2}HAPAX_HTTP_PORT is .*\n {2}HAPAX_ANSWER_CACHE is .*from 0 on$/,
    );
  });
});

it('an address that holds a password is not told', () => {
  expect(() => readConfig(['DATABASE_URL'], { DATABASE_URL: 'mysql://ann:secret@127.0.0.1/x' })).toThrow(
    /^(?!.*secret).*DATABASE_URL is no address/s,
  );
});

it.each([
  'ftp://ann:hush@mail.test',
  'smtps://ann:hu#sh@mail.test',
  'smtp://ann:12/sh@mail.test',
  'smtp://ann:12?sh@mail.test',
])('an address of a mail server with a password that does not fit is refused, and not told: %s', (address) => {
  expect(() => readConfig(['SMTP_URL'], { SMTP_URL: address })).toThrow(
    /^(?!.*(?:hush|hu#|sh@|12)).*SMTP_URL is no address: .*encoded/s,
  );
});

it('the address of a mail server may hold an encoded password and options', () => {
  const address = 'smtp://ann:hu%23sh@mail.test:587/?requireTLS=true&name=shop.test';
  expect(readConfig(['SMTP_URL'], { SMTP_URL: address })).toEqual({ SMTP_URL: address });
});

it('who mail is from is read once, with its name', () => {
  expect(readConfig(['MAIL_FROM'], { MAIL_FROM: 'The shop <shop@example.com>' })).toEqual({
    MAIL_FROM: { address: 'shop@example.com', name: 'The shop' },
  });
});

it.each([
  [
    { SMTP_URL: 'smtp://a', MAIL_PROVIDER_URL: 'http://b' },
    ['are both set', 'MAIL_FROM is not set', 'MAIL_PROVIDER_KEY'],
  ],
  [{ SMTP_URL: 'smtp://a' }, ['MAIL_FROM is not set']],
  [{ MAIL_PROVIDER_URL: 'http://b', MAIL_FROM: { address: 'a@b.example' } }, ['MAIL_PROVIDER_KEY is not set']],
  [{ MAIL_FROM: { address: 'a@b.example' } }, []],
  // What the local catcher takes, a server of the Internet must not be given by mistake.
  [{ SMTP_URL: 'smtp://mail.shop.com', MAIL_FROM: { address: 'shop@hapax.test' } }, ['MAIL_FROM is shop@hapax.test']],
  [{ SMTP_URL: 'smtp://catcher:1025', MAIL_FROM: { address: 'shop@hapax.test' } }, []],
  [{ SMTP_URL: 'smtp://127.0.0.1:1025', MAIL_FROM: { address: 'shop@hapax.test' } }, []],
  [{ SMTP_URL: 'smtp://mail.shop.com', MAIL_FROM: { address: 'shop@example.com' } }, []],
  [{}, []],
])('settings of mail that do not go together are named: %j', (settings, words) => {
  const faults = senderFaults(settings);
  expect(faults.map((fault, n) => fault.includes(words[n] ?? 'nothing'))).toEqual(words.map(() => true));
});

it('a secret of an outside system is not told, nor an address with a password', () => {
  const declared = {
    MAIL_TOKEN: z.string().regex(/^tok_/, 'give tok_…'),
    MAIL_URL: z.url({ protocol: /^smtp$/, error: 'give an address' }),
  };
  const read = () => readSettings(declared, { MAIL_TOKEN: 'hush', MAIL_URL: 'https://ann:hush@mail.test' });
  expect(read).toThrow(
    /^(?!.*hush)Cannot start:\n {2}MAIL_TOKEN does not fit: give tok_…\n {2}MAIL_URL does not fit: give/s,
  );
});

it('a setting that is empty has its default', () => {
  expect(readConfig(['HAPAX_HTTP_PORT', 'STRIPE_API_BASE'], { HAPAX_HTTP_PORT: '', STRIPE_API_BASE: '' })).toEqual({
    HAPAX_HTTP_PORT: 8080,
    STRIPE_API_BASE: undefined,
  });
});

it('a setting that is not given has its default', () => {
  const { HAPAX_HTTP_PORT, HAPAX_LOG_LEVEL } = readConfig(['HAPAX_HTTP_PORT', 'HAPAX_LOG_LEVEL'], {});
  expect([HAPAX_HTTP_PORT, HAPAX_LOG_LEVEL]).toEqual([8080, 'info']);
});
