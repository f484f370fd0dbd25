import { METHODS } from 'node:http';
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import { World } from '../support/world.ts';
import { exchange, type RawAnswer } from './raw-exchange.ts';

let world: World;
let address: string;
const page = 'https://shop.example';
beforeAll(async () => {
  world = await World.create(inject('ground'), { workers: 0, upkeep: false, env: { HAPAX_CORS_ORIGINS: page } });
  address = (world.doors[0] as { address: string }).address;
});
afterAll(() => world.close());

const token = 'Authorization: Bearer local-alpha';
const none = `op_${'0'.repeat(26)}`;

async function ask(line: string, ...headers: string[]): Promise<RawAnswer> {
  const host = headers.some((header) => header.startsWith('Host:')) ? [] : ['Host: door'];
  const [answer] = await exchange(address, Buffer.from([line, ...host, ...headers, '', ''].join('\r\n')));
  return answer as RawAnswer;
}
const codeOf = ({ body }: RawAnswer) => (JSON.parse(String(body)) as { code: string }).code;
const allowed = ({ headers }: RawAnswer) => headers.allow?.split(', ').toSorted().join(', ');

const reads = 'GET, HEAD, OPTIONS';
const writes = 'OPTIONS, POST';
const collection = 'GET, HEAD, OPTIONS, POST';
const routes: readonly (readonly [path: string, allow: string])[] = [
  ['/', reads],
  ['/healthz', reads],
  ['/readyz', reads],
  ['/metrics', reads],
  ['/openapi.json', reads],
  ['/problems', reads],
  ['/problems/not-found', reads],
  ['/docs', reads],
  ['/docs/json', reads],
  ['/docs/static/index.html', reads],
  ['/v1/operations', reads],
  [`/v1/operations/${none}`, reads],
  [`/v1/operations/${none}/cancel`, writes],
  ['/v1/keys', writes],
  ['/v1/checkouts', collection],
  [`/v1/checkouts/${none}`, reads],
  ['/v1/uploads', collection],
  [`/v1/uploads/${none}`, reads],
  [`/v1/uploads/${none}/content`, 'OPTIONS, PUT'],
  [`/v1/uploads/${none}/complete`, writes],
  // The same paths in other words.
  ['/v1/%6fperations?limit=1', reads],
];

describe('a method that its path has not is refused with the ones that it has', () => {
  // A tunnel has no path, and an answer to HEAD has no body to look at.
  const methods = METHODS.filter((method) => method !== 'CONNECT' && method !== 'HEAD');

  it.each(routes)('%s: %s', async (path, allow) => {
    const others = methods.filter((method) => !allow.split(', ').includes(method));
    expect(others).toContain('QUERY');
    await Promise.all(
      others.map(async (method) => {
        const answer = await ask(`${method} ${path} HTTP/1.1`);
        expect([method, answer.status, codeOf(answer), allowed(answer)]).toEqual([
          method,
          405,
          'method-not-allowed',
          allow,
        ]);
      }),
    );
  });

  it('is 404 where there is no such path', async () => {
    for (const method of ['QUERY', 'PROPFIND', 'GET', 'OPTIONS', 'TRACE']) {
      const answer = await ask(`${method} /v1/nothing HTTP/1.1`);
      expect([method, answer.status, codeOf(answer), answer.headers.allow]).toEqual([
        method,
        404,
        'not-found',
        undefined,
      ]);
    }
  });

  it('is told to who asks for a tunnel', async () => {
    const answer = await ask('CONNECT door:443 HTTP/1.1');
    expect([answer.status, codeOf(answer), allowed(answer)]).toEqual([
      405,
      'method-not-allowed',
      'DELETE, GET, HEAD, OPTIONS, PATCH, POST, PUT',
    ]);
  });
});

describe('OPTIONS, without a token,', () => {
  it.each(routes)('of %s says what is allowed: %s', async (path, allow) => {
    const answer = await ask(`OPTIONS ${path} HTTP/1.1`);
    expect([answer.status, allowed(answer), answer.body.length]).toEqual([204, allow, 0]);
  });

  it('of the server says what is allowed anywhere', async () => {
    const answer = await ask('OPTIONS * HTTP/1.1');
    expect([answer.status, allowed(answer)]).toEqual([204, 'DELETE, GET, HEAD, OPTIONS, PATCH, POST, PUT']);
    expect((await ask('GET * HTTP/1.1')).status).toBe(400);
  });

  it('asks for a page of another origin too', async () => {
    const line = `OPTIONS /v1/uploads/${none}/content HTTP/1.1`;
    const answer = await ask(line, `Origin: ${page}`, 'Access-Control-Request-Method: PUT');
    expect(answer.status).toBe(204);
    expect(answer.headers).toMatchObject({ 'access-control-allow-origin': page, allow: 'PUT, OPTIONS' });
    expect(answer.headers['access-control-allow-methods']).toContain('PUT');
    const other = await ask(line, 'Origin: https://other.example', 'Access-Control-Request-Method: PUT');
    expect(other.headers).not.toHaveProperty('access-control-allow-origin');
  });
});

describe('a target that names the host', () => {
  it.each([
    ['/healthz', ''],
    ['/v1/operations?limit=1&state=paid', token],
    ['/v1/operations?limit=1', token],
    ['/v1/%6fperations?limit=1', token],
    ['/v1/operations', ''],
    [`/v1/operations/${none}`, token],
    ['/v1/nothing', token],
    ['/v1/operations/%ff', token],
    ['/', ''],
  ])('is answered as the path alone is: %s', async (path, header) => {
    const lines = header === '' ? [] : [header];
    const told = ({ status, headers, body }: RawAnswer) => [
      status,
      headers.location,
      headers.allow,
      String(body).replace(/req_[0-9a-f-]+/, ''),
    ];
    for (const method of ['GET', 'DELETE']) {
      const plain = told(await ask(`${method} ${path} HTTP/1.1`, ...lines));
      for (const origin of ['http://door', 'HTTP://door:80', 'https://door.example'])
        expect(told(await ask(`${method} ${origin}${path} HTTP/1.1`, ...lines))).toEqual(plain);
    }
  });

  it('may leave the path out', async () => {
    const answer = await ask('GET http://door HTTP/1.1');
    expect([answer.status, answer.headers.location]).toEqual([302, '/docs']);
  });

  it.each([
    ['http://public.example:8443', 'Host: inner', '1.1', 'http://public.example:8443'],
    ['https://public.example', 'Host: inner', '1.1', 'https://public.example'],
    ['http://public.example', 'X-None: 1', '1.0', 'http://public.example'],
  ])('counts instead of the header Host: %s', async (origin, header, version, base) => {
    const body = JSON.stringify({ name: 'a.txt', size: 1, type: 'text/plain', destination: 'inbox' });
    const lines = [
      `POST ${origin}/v1/uploads HTTP/${version}`,
      header,
      token,
      `Idempotency-Key: ${base}`,
      'Content-Type: application/json',
      `Content-Length: ${body.length}`,
      '',
      body,
    ];
    const [answer] = await exchange(address, Buffer.from(lines.join('\r\n')));
    expect(answer?.status).toBe(201);
    const { id, transfer } = JSON.parse(String(answer?.body)) as { id: string; transfer: { url: string } };
    expect(transfer.url).toBe(`${base}/v1/uploads/${id}/content`);
  });

  it.each([
    ['another scheme', 'ftp://door/healthz', 'Host: door'],
    ['a password', 'http://ann:secret@door/healthz', 'Host: door'],
    ['no host', 'http:///healthz', 'Host: door'],
    ['a port that is none', 'http://door:99999/healthz', 'Host: door'],
    ['a Host that is none', 'http://door/healthz', 'Host: a b'],
  ])('is refused with %s', async (_, target, header) => {
    const answer = await ask(`GET ${target} HTTP/1.1`, header);
    expect([answer.status, codeOf(answer)]).toEqual([400, 'http-malformed']);
  });

  it('does not stand in for a header Host that HTTP/1.1 requires', async () => {
    const [answer] = await exchange(address, Buffer.from('GET http://door/healthz HTTP/1.1\r\n\r\n'));
    expect([answer?.status, codeOf(answer as RawAnswer)]).toEqual([400, 'http-malformed']);
  });
});
