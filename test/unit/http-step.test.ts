import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { gzipSync } from 'node:zlib';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { z } from 'zod';
import { type HttpAnswers, refusal } from '../../activities/engine/http-call.ts';
import { HttpDoubt } from '../../activities/engine/http-exchange.ts';
import { httpStep } from '../../activities/engine/http-step.ts';
import { Doubtful } from '../../activities/stores/outcomes/doubtful.ts';
import { Refused } from '../../activities/stores/outcomes/refused.ts';
import { Throttled } from '../../activities/stores/outcomes/throttled.ts';
import type { Undoing } from '../../activities/stores/sending.ts';
import { Unconfirmed } from '../../activities/stores/outcomes/unconfirmed.ts';

type Seen = {
  readonly method: string;
  readonly path: string;
  readonly headers: IncomingMessage['headers'];
  readonly body: string;
};
type Answer = (response: ServerResponse) => unknown;

const about: Undoing = {
  ...{ operation: 'op_a', tenant: 'alpha', environment: 'test', key: 'op_a:ticket:1', age: 0, attempt: 1 },
  ...{ timeout: 2_000, signal: new AbortController().signal, stepKey: 'op_a:ticket:1' },
};
const json = (status: number, body: unknown, headers = {}): Answer => {
  return (response) =>
    response.writeHead(status, { 'content-type': 'application/json', ...headers }).end(JSON.stringify(body));
};
const fine = { number: 't-1' };

describe('an HTTP step', () => {
  let server: Server;
  let url: string;
  let seen: Seen[];
  let answer: Answer;
  beforeAll(async () => {
    server = createServer((request, response) => void serve(request, response));
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  });
  afterAll(() => {
    server.closeAllConnections();
    server.close();
  });
  beforeEach(() => {
    seen = [];
    answer = json(201, fine);
  });

  async function serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    let body = '';
    for await (const piece of request) body += String(piece);
    seen.push({ method: request.method ?? '', path: request.url ?? '', headers: request.headers, body });
    answer(response);
  }

  const answers: HttpAnswers<{ number: string }> = {
    system: 'The office',
    answer: z.object({ number: z.string() }),
    refuses: { 409: refusal('out-of-stock', z.object({ reason: z.string() }), ({ reason }) => `No: ${reason}.`) },
  };
  const request = (seat: string) => ({ url: `${url}/tickets`, body: { seat } });
  const step = (more: Partial<HttpAnswers<{ number: string }>> & { readonly keyWindow?: number } = {}) =>
    httpStep({ ...answers, request, ...more });

  async function thrown(given: Answer, more: Parameters<typeof step>[0] = {}): Promise<unknown> {
    answer = given;
    const ticket = step(more);
    return await ticket.send(ticket.request('12a', about), about).then(
      (result) => expect.unreachable(`It gave ${JSON.stringify(result)}`),
      (error: unknown) => error,
    );
  }
  async function doubt(given: Answer, status: number | undefined, says: string, more = {}): Promise<void> {
    const error = await thrown(given, more);
    expect(error).toBeInstanceOf(HttpDoubt);
    expect(error).toMatchObject({ status, message: says });
  }

  it('sends its body under the key, and gives what was answered', async () => {
    const ticket = step();
    expect(await ticket.send(ticket.request('12a', about), about)).toEqual(fine);
    const headers = { 'idempotency-key': about.key, 'content-type': 'application/json', accept: 'application/json' };
    expect(seen).toMatchObject([{ method: 'POST', path: '/tickets', body: '{"seat":"12a"}', headers }]);
  });

  it('sends the key where the system wants it, and what is not to be kept', async () => {
    const ticket = step({ keyHeader: 'x-request-key', headers: { authorization: 'Bearer secret' } });
    const asked = ticket.request('12a', about);
    await ticket.send(asked, about);
    expect(seen[0]?.headers).toMatchObject({ 'x-request-key': about.key, authorization: 'Bearer secret' });
    expect(seen[0]?.headers).not.toHaveProperty('idempotency-key');
    expect(JSON.stringify(asked)).not.toContain('secret');
  });

  it('is refused by a declared status, with a detail from its body', async () => {
    const error = await thrown(json(409, { reason: 'sold out' }));
    expect(error).toBeInstanceOf(Refused);
    expect(error).toMatchObject({ refusal: { code: 'out-of-stock', detail: 'No: sold out.' } });
  });

  it('is in doubt where that status says something else, such as that the key is at work', () =>
    doubt(json(409, { error: 'in progress' }), 409, 'The office answered 409.'));

  it.each([
    ['429 and no pause', 429, {}, undefined],
    ['429 and a pause in seconds', 429, { 'retry-after': '7' }, 7_000],
    ['503 and a pause in seconds', 503, { 'retry-after': '7' }, 7_000],
    [
      '429 and a date, by the clock that wrote it',
      429,
      { date: 'Sun, 06 Nov 1994 08:49:37 GMT', 'retry-after': 'Sun, 06 Nov 1994 08:49:49 GMT' },
      12_000,
    ],
    ['429 and a date that has passed', 429, { 'retry-after': 'Sun, 06 Nov 1994 08:49:49 GMT' }, undefined],
    ['429 and nonsense', 429, { 'retry-after': 'soon' }, undefined],
    ['429 and a day', 429, { 'retry-after': '86400' }, 300_000],
  ] as const)('is turned away by %s', async (_name, status, headers, wait) => {
    const error = await thrown(json(status, {}, headers));
    expect(error).toBeInstanceOf(Throttled);
    expect(error).toMatchObject({ wait, message: `The office asks us to wait (status ${status}).` });
  });

  it('is turned away by the statuses that it declares, and by no others', async () => {
    expect(await thrown(json(420, {}), { throttles: [420] })).toBeInstanceOf(Throttled);
    expect(await thrown(json(429, {}), { throttles: [420] })).toBeInstanceOf(HttpDoubt);
  });

  it.each([500, 502, 503, 504, 404, 400, 408])('is in doubt after %i', (status) =>
    doubt(json(status, fine), status, `The office answered ${status}.`),
  );

  it('is in doubt where the connection is cut before an answer', () =>
    doubt((response) => response.destroy(), undefined, 'The office gave no answer.'));

  it('is in doubt where the connection is cut in the middle of it', () =>
    doubt(
      (response) => response.writeHead(201, { 'content-length': '99' }).write('{', () => response.destroy()),
      201,
      'The office answered 201 and did not finish.',
    ));

  it('is in doubt where no answer comes in its time', () =>
    doubt(() => undefined, undefined, 'The office gave no answer.'));

  it('is in doubt where the body takes longer than its time', () =>
    doubt(
      (response) => {
        response.writeHead(201);
        const drip = setInterval(() => response.write(' '), 20);
        response.on('close', () => clearInterval(drip));
      },
      201,
      'The office answered 201 and did not finish.',
    ));

  it('is in doubt where the answer is longer than it reads, and ends the connection', async () => {
    let closed: Promise<unknown> = Promise.resolve();
    const endless: Answer = (response) => {
      closed = new Promise((resolve) => response.on('close', resolve));
      response.writeHead(201);
      const more = (): void => {
        while (!response.destroyed && response.write('x'.repeat(1000)));
        if (!response.destroyed) response.once('drain', more);
      };
      more();
    };
    await doubt(endless, 201, 'The office answered with more than 5000 bytes.', { longestAnswer: 5000 });
    await closed;
  });

  it('counts an answer as it is once it is unpacked', () =>
    doubt(
      (response) => response.writeHead(201, { 'content-encoding': 'gzip' }).end(gzipSync(Buffer.alloc(2_000_000, ' '))),
      201,
      'The office answered with more than 1048576 bytes.',
    ));

  it.each([
    ['of another form', json(201, { ticket: 1 })],
    ['that is no JSON', (response: ServerResponse) => response.writeHead(200).end('<html>')],
    ['that is empty', (response: ServerResponse) => response.writeHead(204).end()],
  ] as const)('is in doubt after a success %s', async (_name, given) => {
    const error = await thrown(given);
    expect(error).toBeInstanceOf(HttpDoubt);
    expect((error as Error).message).toMatch(/^The office answered 20\d in a form that this step does not know\.$/);
  });

  it('gives null for 204 where that is what it wants', async () => {
    answer = (response) => response.writeHead(204).end();
    const ping = httpStep({ ...answers, request, answer: z.null() });
    expect(await ping.send(ping.request('12a', about), about)).toBeNull();
  });

  it.each([301, 302, 303, 307, 308])('does not follow %i', async (status) => {
    await doubt(json(status, fine, { location: `${url}/elsewhere` }), status, `The office answered ${status}.`);
    expect(seen.map(({ path }) => path)).toEqual(['/tickets']);
  });

  it('ends with its try', async () => {
    const over = new AbortController();
    answer = () => over.abort();
    const ticket = step();
    const asked = ticket.request('12a', about);
    await expect(ticket.send(asked, { ...about, timeout: 60_000, signal: over.signal })).rejects.toThrow(
      'gave no answer',
    );
  });

  it('sends nothing once the system may have forgotten the key', async () => {
    const ticket = step({ keyWindow: 1_000 });
    const asked = ticket.request('12a', about);
    await expect(ticket.send(asked, { ...about, age: 1_001 })).rejects.toBeInstanceOf(Doubtful);
    expect(seen).toEqual([]);
    expect(await ticket.send(asked, { ...about, age: 1_000 })).toEqual(fine);
  });

  it.each([
    ['no web address', 'file:///etc/passwd', 'file: is no protocol'],
    ['one with a password', 'http://me:secret@office/', 'holds credentials'],
  ])('takes %s for a bug before anything is sent', (_name, address, says) => {
    const bad = httpStep({ ...answers, request: () => ({ url: address }) });
    expect(() => bad.request('12a', about)).toThrow(says);
  });

  describe('that is undone', () => {
    const undone = () =>
      httpStep({
        ...answers,
        request,
        undo: { request: (sent, result, { stepKey }) => ({ url: `${sent.url}/void`, body: { stepKey, result } }) },
      });
    const sent = () => undone().request('12a', about);
    const undoing = { ...about, key: 'op_a:ticket:undo:1' };

    it('makes another call under a key of its own, and takes any success for one', async () => {
      answer = (response) => response.writeHead(204).end();
      await undone().undo?.(sent(), null, undoing);
      await undone().undo?.(sent(), fine, undoing);
      const headers = { 'idempotency-key': undoing.key };
      expect(seen).toMatchObject([
        { path: '/tickets/void', headers, body: `{"stepKey":"${about.key}","result":null}` },
        { path: '/tickets/void', headers, body: `{"stepKey":"${about.key}","result":{"number":"t-1"}}` },
      ]);
    });

    it('is not refused by what the step is refused by', async () => {
      answer = json(409, { reason: 'sold out' });
      await expect(undone().undo?.(sent(), fine, undoing)).rejects.toBeInstanceOf(HttpDoubt);
    });
  });

  describe('of which a person says that it has happened', () => {
    const checked = httpStep({
      ...answers,
      request,
      check: {
        request: ({ number }, sent) => ({ url: `${sent.url}/${number}` }),
        refuses: { 404: refusal('not-found', z.unknown(), () => 'The office knows no such ticket.') },
      },
    });
    const look = () => checked.check?.(fine, checked.request('12a', about), about);

    it('looks without a key, and gives what it finds', async () => {
      answer = json(200, fine);
      expect(await look()).toEqual(fine);
      expect(seen).toMatchObject([{ method: 'GET', path: '/tickets/t-1', body: '' }]);
      expect(seen[0]?.headers).not.toHaveProperty('idempotency-key');
    });

    it('believes no word that the system denies, or that it knows otherwise', async () => {
      answer = json(404, null);
      await expect(look()).rejects.toEqual(new Unconfirmed('The office knows no such ticket.'));
      answer = json(200, { number: 't-2' });
      await expect(look()).rejects.toEqual(new Unconfirmed('The office knows of another result.'));
      answer = json(500, {});
      await expect(look()).rejects.toBeInstanceOf(HttpDoubt);
    });
  });
});
