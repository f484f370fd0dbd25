import { decodeProtectedHeader, errors } from 'jose';
import { expect, it, onTestFinished } from 'vitest';
import { SigningKeys } from '../../client/http/callers/signing-keys.ts';
import { TokenIssuer } from '../support/token-issuer.ts';

const never = { refresh: 60_000, retry: 60_000 };

async function known(pauses: { refresh: number; retry: number }, misbehave?: TokenIssuer['misbehave']) {
  const issuer = await TokenIssuer.start();
  issuer.misbehave = misbehave;
  const told: string[] = [];
  const keys = new SigningKeys(new URL(issuer.url), (message) => told.push(message), pauses);
  onTestFinished(async () => {
    keys.close();
    await issuer.goAway();
  });
  await keys.start();
  const find = async (by = issuer.first) =>
    await keys.find(decodeProtectedHeader(await issuer.token({}, { by })) as { alg: string }, {
      payload: '',
      signature: '',
    });
  return { issuer, keys, told, find };
}

async function until(what: () => boolean | Promise<boolean>): Promise<void> {
  const end = Date.now() + 30_000;
  while (!(await what())) {
    if (Date.now() > end) throw new Error('Not within 30 s');
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}

it('are read again by themselves, so that a withdrawn key is forgotten', async () => {
  const { issuer, keys, find } = await known({ refresh: 50, retry: 50 });
  const first = issuer.first;
  const before = keys.set;
  await find(first);
  issuer.published = [await TokenIssuer.pair('second')];
  await until(() => keys.set !== before);
  await expect(find(first)).rejects.toThrow(errors.JWKSNoMatchingKey);
  await find();
});

it('stay the same set while the issuer says the same', async () => {
  const { issuer, keys } = await known({ refresh: 20, retry: 20 });
  const before = keys.set;
  const asked = issuer.asked;
  await until(() => issuer.asked > asked + 2);
  expect(keys.set).toBe(before);
});

it('are kept while the issuer is away, which is told once, and asked for until it is back', async () => {
  const { issuer, keys, told, find } = await known({ refresh: 20, retry: 20 });
  await issuer.goAway();
  await until(() => keys.awaySince !== undefined);
  const { awaySince } = keys;
  await new Promise((resolve) => setTimeout(resolve, 200));
  expect([keys.awaySince, told.length]).toEqual([awaySince, 1]);
  await find();
  await issuer.comeBack();
  await until(() => keys.awaySince === undefined);
});

it('are asked for once by all who miss one at the same time', async () => {
  const { issuer, find } = await known(never);
  const asked = issuer.asked;
  const next = await TokenIssuer.pair('next');
  issuer.published.push(next);
  await Promise.all(Array.from({ length: 3 }, () => find(next)));
  expect(issuer.asked - asked).toBe(1);
});

it('are asked for no more once they are closed', async () => {
  const { issuer, keys } = await known({ refresh: 10, retry: 10 });
  keys.close();
  await new Promise((resolve) => setTimeout(resolve, 50));
  const { asked } = issuer;
  await new Promise((resolve) => setTimeout(resolve, 100));
  expect(issuer.asked).toBe(asked);
});

it.each<[string, NonNullable<TokenIssuer['misbehave']>]>([
  ['an error', (_, response) => response.writeHead(500).end()],
  [
    'a redirect',
    ({ url }, response) => response.writeHead(url === '/jwks.json' ? 302 : 200, { location: '/x' }).end('{"keys":[]}'),
  ],
  ['no JSON', (_, response) => response.end('<html>')],
  ['no key set', (_, response) => response.end('{"keys":7}')],
  ['no end', (_, response) => void response.write('{"keys":[')],
  ['a megabyte', (_, response) => response.end(`{"keys":[],"x":"${'x'.repeat(1_000_000)}"}`)],
  ['nothing', () => undefined],
])('are not taken from an answer with %s', async (_, misbehave) => {
  const began = Date.now();
  const { keys, find } = await known(never, misbehave);
  expect([keys.set, keys.awaySince]).toEqual([undefined, expect.any(Date)]);
  await expect(find()).rejects.toMatchObject({ refusal: { code: 'issuer-unavailable' } });
  expect(Date.now() - began).toBeLessThan(30_000);
});
