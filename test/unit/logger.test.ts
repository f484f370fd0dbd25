import { describe, expect, it } from 'vitest';
import { createLogger } from '../../workers/logger.ts';

function logged(context: object, text = 'told'): string {
  const lines: string[] = [];
  createLogger('test', 'trace', { write: (line) => lines.push(line) }).error(context, text);
  return lines.join('');
}

const secret = 'canary-5f2a';

describe('a log line', () => {
  it.each(['authorization', 'cookie', 'token', 'password', 'secret', 'client_secret', 'card', 'cvc', 'email'])(
    'has no %s, at whatever depth it stands',
    (name) => {
      for (const context of [
        { [name]: secret },
        { a: { [name]: secret } },
        { a: { b: { [name]: secret } } },
        { a: { b: { c: { [name]: secret } } } },
      ])
        expect(logged(context)).not.toContain(secret);
    },
  );

  it.each(['Authorization', 'Cookie', 'Set-Cookie', 'set-cookie', 'clientSecret', 'secretAccessKey', 'apiKey'])(
    'has no %s either',
    (name) => {
      expect(logged({ headers: { [name]: secret } })).not.toContain(secret);
    },
  );

  it.each([
    `Bearer ${secret}`,
    `authorization: bearer ${secret}`,
    `sk_test_${secret}`,
    `sk_live_${secret}`,
    `rk_live_${secret}`,
    `whsec_${secret}`,
    `hpx_live_0123456789ab_${secret}`,
    `eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJhbm4ifQ.${secret}`,
    `?token=eyJhbGciOiJSUzI1NiJ9.${secret}.c2lnbmF0dXJl`,
    `pi_3Abc_secret_${secret}`,
    `postgres://hapax:${secret}@127.0.0.1:5432/hapax`,
    `https://s3.example/b/k?X-Amz-Signature=${secret}&x=1`,
  ])('has no secret inside a text: %s', (text) => {
    expect(logged({ note: text })).not.toContain(secret);
    expect(logged({}, text)).not.toContain(secret);
    expect(logged({ err: new Error(text, { cause: new Error(text) }) })).not.toContain(secret);
  });

  it.each(['4242424242424242', '4242 4242 4242 4242', '4242-4242-4242-4242', '378282246310005'])(
    'has no card number: %s',
    (card) => {
      expect(logged({ note: `paid with ${card}.` })).not.toContain(card);
      expect(logged({ card: { number: card } })).not.toContain(card);
      expect(logged({}, `declined ${card}`)).not.toContain(card);
    },
  );

  it('keeps what operators search for', () => {
    const line = logged(
      { operation: 'op_0123456789abcdefghjkmnpqrs', requestId: 'req_1', looks: 3 },
      'an open operation',
    );
    expect(JSON.parse(line)).toMatchObject({
      level: 50,
      name: 'test',
      operation: 'op_0123456789abcdefghjkmnpqrs',
      requestId: 'req_1',
      looks: 3,
      msg: 'an open operation',
      time: expect.any(Number),
    });
    expect(Math.abs(JSON.parse(line).time - Date.now())).toBeLessThan(60_000);
  });

  it('is JSON whatever was taken out of it', () => {
    for (const note of ['Bearer abc"def', 'Bearer a\\b', '4242424242424242"', 'x'.repeat(10_000)])
      expect(() => JSON.parse(logged({ note }))).not.toThrow();
    for (const number of [4242424242424242, 1234567890123, -4242424242424242])
      expect(() => JSON.parse(logged({ count: number }))).not.toThrow();
  });
});
