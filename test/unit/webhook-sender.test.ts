import { createServer } from 'node:tls';
import type { AddressInfo } from 'node:net';
import { Webhook } from 'standardwebhooks';
import { afterEach, beforeEach, describe, expect, it, onTestFinished } from 'vitest';
import { postOnce } from '../../activities/delivery/webhook/post-once.ts';
import { WebhookSender, type WebhookSenderParts } from '../../activities/delivery/webhook/webhook-sender.ts';
import { EndpointSecrets } from '../../activities/seal/endpoint-secrets.ts';
import { SealFault } from '../../activities/seal/seals.ts';
import { Doubtful } from '../../activities/stores/outcomes/doubtful.ts';
import { Refused } from '../../activities/stores/outcomes/refused.ts';
import { Throttled } from '../../activities/stores/outcomes/throttled.ts';
import type { Delivery, Webhook as To } from '../../activities/stores/postgres/outbox/due-deliveries.ts';
import { seconds } from '../../workflows/operation/duration.ts';
import { WebhookReceiver } from '../support/webhook-receiver.ts';
import { testSeals } from '../support/seal-keys.ts';
import { selfSigned } from '../support/self-signed.ts';

const secrets = ['whsec_bmV3LW5ldy1uZXctbmV3LW5ldy1uZXc=', 'whsec_b2xkLW9sZC1vbGQtb2xkLW9sZC1vbGQ='];
const message: Delivery['message'] = {
  ...{ id: 'msg_1', tenant: 'alpha', environment: 'test', channel: 'webhook', about: 'ast_1', operation: 'op_1' },
  ...{ type: 'asset.ready', payload: { asset: 'ast_1', name: 'Größe 1' }, occurredAt: new Date(0) },
};

let receiver: WebhookReceiver;
beforeEach(async () => {
  receiver = await WebhookReceiver.start();
});
afterEach(() => receiver.goAway());

const disabled: string[] = [];
async function sent(to: Partial<To> = {}, parts: Partial<WebhookSenderParts> = {}, handOver = async () => undefined) {
  const sender = new WebhookSender({
    rules: { loopback: true },
    secrets: new EndpointSecrets(testSeals),
    disable: async (endpoint, because) => void disabled.push(`${endpoint}: ${because}`),
    ...parts,
  });
  const event = { aggregate: 'asset', sequence: 7, cause: 'req_1' };
  const whole = { endpoint: 'we_1', url: receiver.url, disabled: false, deleted: false, secrets, event, ...to };
  await sender.send(message, whole, { handOver, signal: new AbortController().signal });
}
const failed = async (...given: Parameters<typeof sent>) =>
  await sent(...given).then(
    () => expect.unreachable(),
    (error: Error) => error,
  );
const answers = (status: number, headers: Record<string, string> = {}) => {
  receiver.answer = (response) => response.writeHead(status, headers).end();
};

describe('a webhook', () => {
  it('is signed with the newest secret alone where the key of the former one is gone, and with none where its own is', async () => {
    const kept = secrets as [string, string];
    const open = (gone: string) => ({
      open: (secret: string): string => {
        if (secret === gone) throw new SealFault('The key is not in the list.');
        return secret;
      },
    });
    await sent({}, { secrets: open(kept[1]) });
    expect(receiver.arrived[0]?.headers['webhook-signature']).toMatch(/^v1,\S+$/);
    expect(await failed({}, { secrets: open(kept[0]) })).toBeInstanceOf(SealFault);
    expect(receiver.arrived).toHaveLength(1);
  });

  it('says what happened, and is signed with each secret, so that a receiver verifies it with the one that it knows', async () => {
    await sent();
    const [{ headers, body, path }] = receiver.arrived as [(typeof receiver.arrived)[number]];
    expect(path).toBe('/hooks');
    expect(headers).toMatchObject({ 'webhook-id': 'msg_1', 'content-type': 'application/json' });
    expect(headers['webhook-signature']).toMatch(/^v1,\S+ v1,\S+$/);
    const signed = headers as Record<string, string>;
    for (const secret of secrets)
      expect(new Webhook(secret).verify(body, signed)).toEqual({
        ...{
          specversion: '1.0',
          id: 'msg_1',
          source: '/hapax/alpha/test',
          type: 'asset.ready',
          subject: 'asset/ast_1',
        },
        ...{ time: '1970-01-01T00:00:00.000Z', datacontenttype: 'application/json', data: message.payload },
        ...{ sequence: '0000000000000000007', hapaxoperation: 'op_1', hapaxcause: 'req_1' },
      });
    const stranger = new Webhook('whsec_c3RyYW5nZXItc3RyYW5nZXItc3RyYW5nZXI=');
    expect(() => stranger.verify(body, signed)).toThrow();
    expect(() => new Webhook(secrets[0] as string).verify(body.replace('ast_1', 'ast_2'), signed)).toThrow();
    expect(() => new Webhook(secrets[0] as string).verify(body, { ...signed, 'webhook-id': 'msg_2' })).toThrow();
  });

  it('is signed with secrets that are sealed in their rows, for their own endpoint alone', async () => {
    const kept = new EndpointSecrets(testSeals);
    const [newest = '', former = ''] = secrets;
    const sealed = kept.seal(newest, { tenant: 'alpha', id: 'we_1' });
    expect(sealed).toMatch(/^sealed:1:/);
    await sent({ secrets: [sealed, former] });
    const [{ headers, body }] = receiver.arrived as [(typeof receiver.arrived)[number]];
    for (const secret of secrets) new Webhook(secret).verify(body, headers as Record<string, string>);
    for (const other of [
      { tenant: 'alpha', id: 'we_2' },
      { tenant: 'beta', id: 'we_1' },
    ])
      expect(() => kept.open(sealed, other)).toThrow(/cannot be opened/);
    // Nothing was handed over: it is tried again, and nobody has to ask whether it arrived.
    expect(await failed({ endpoint: 'we_2', secrets: [sealed] })).not.toBeInstanceOf(Doubtful);
    expect(receiver.arrived).toHaveLength(1);
  });

  it('is the same at each try, but for its time and its signature', async () => {
    await sent();
    await sent();
    const [first, second] = receiver.arrived.map(({ headers, body }) => [headers['webhook-id'], body]);
    expect(second).toEqual(first);
  });

  it.each([200, 201, 202, 204, 299])('is taken with %i', async (status) => {
    answers(status);
    await sent();
  });

  it.each([400, 401, 403, 404, 409, 422, 500, 502, 503])('is tried again after %i', async (status) => {
    answers(status);
    const error = await failed();
    expect([error instanceof Doubtful, error.message]).toEqual([true, `The receiver answered ${status}.`]);
  });

  it('follows no redirect', async () => {
    const other = await WebhookReceiver.start();
    onTestFinished(() => other.goAway());
    for (const status of [301, 302, 303, 307, 308]) {
      answers(status, { location: other.url });
      expect((await failed()).message).toContain(`answered ${status}. Redirects are not followed`);
    }
    expect([receiver.arrived.length, other.arrived.length]).toEqual([5, 0]);
  });

  it('waits as long as it is asked to with 429, or with 503', async () => {
    for (const status of [429, 503]) {
      answers(status, { 'retry-after': '42' });
      const error = await failed();
      expect(error).toBeInstanceOf(Throttled);
      expect((error as Throttled).wait).toBe(seconds(42));
    }
  });

  it('disables an endpoint that is gone, before it says so', async () => {
    answers(410);
    const error = await failed();
    expect(error).toBeInstanceOf(Refused);
    expect((error as Refused).refusal.code).toBe('endpoint-disabled');
    expect(disabled.splice(0)).toEqual(['we_1: The receiver answered 410 (Gone).']);
  });

  it('is taken once the status says so, however its answer goes on', async () => {
    // More than is read, for ever, and cut off.
    receiver.answer = (response) => {
      response.writeHead(200);
      const more = setInterval(() => response.write(Buffer.alloc(32 * 1024)), 1);
      response.on('close', () => clearInterval(more));
    };
    const begun = performance.now();
    await sent({}, { longest: seconds(50) });
    expect(performance.now() - begun).toBeLessThan(seconds(40));
    receiver.answer = (response) => void response.writeHead(200).write('a');
    // Long enough for its status on a busy machine, and it ends with this.
    await sent({}, { longest: seconds(3) });
    receiver.answer = (response) =>
      void response.writeHead(200, { 'content-length': '10' }).write('a', () => response.destroy());
    await sent();
    expect(receiver.arrived).toHaveLength(3);
  });

  it('is tried again where no answer comes in time, or none at all', async () => {
    receiver.answer = () => undefined;
    expect((await failed({}, { longest: 300 })).message).toBe('The receiver gave no answer in time.');
    receiver.answer = (response) => void response.destroy();
    expect((await failed()).message).toMatch(/^The receiver gave no answer \(\w+\)\.$/);
    const { url } = receiver;
    await receiver.goAway();
    expect((await failed({ url })).message).toBe('The receiver gave no answer (ECONNREFUSED).');
    receiver = await WebhookReceiver.start();
  });

  it('keeps nothing of what the receiver says but its status', async () => {
    receiver.answer = (response) => response.writeHead(500, 'whsec_reason', { a: 'whsec_header' }).end('whsec_body');
    expect((await failed()).message).toBe('The receiver answered 500.');
  });

  it('is not sent, and not marked, where its name leads into a network of somebody', async () => {
    let begun = 0;
    let asked = 0;
    const resolve = async () => {
      asked += 1;
      return asked === 1 ? ['93.184.216.34', '127.0.0.1'] : ['93.184.216.34'];
    };
    const url = `https://shop.example.com:${receiver.port}/hooks`;
    const error = await failed({ url }, { resolve }, async () => void (begun += 1));
    expect(error.message).toContain('leads to no address of the Internet');
    expect([begun, asked, receiver.arrived.length]).toEqual([0, 1, 0]);
    expect((await failed({}, { rules: { loopback: false } })).message).toContain('https');
  });

  it('is given up where the name server does not answer in time', async () => {
    const resolve = () => new Promise<never>(() => undefined);
    const error = await failed({ url: 'https://shop.example.com' }, { resolve, longest: 100 });
    expect(error.message).toBe('The name of the endpoint was not resolved in time.');
  });
});

describe('a connection', () => {
  const signal = () => AbortSignal.timeout(seconds(30));

  it('goes to the addresses that were checked, whatever a name server would say of the name', async () => {
    const url = new URL(`http://no-such-name.invalid:${receiver.port}/hooks`);
    const addresses = [{ address: '127.0.0.1', family: 4 }] as const;
    await postOnce({ url, addresses, headers: {}, body: 'a', signal: signal() });
    expect(receiver.arrived[0]?.headers.host).toBe(url.host);
    // The name of this machine is no reason to go there.
    const here = new URL(receiver.url.replace('127.0.0.1', 'localhost'));
    const elsewhere = [{ address: '127.0.0.9', family: 4 }] as const;
    await expect(
      postOnce({ url: here, addresses: elsewhere, headers: {}, body: 'a', signal: signal() }),
    ).rejects.toThrow();
    expect(receiver.arrived).toHaveLength(1);
  });

  it('asks for the certificate of the name in the address, and takes no other', async () => {
    const named: string[] = [];
    let asked = 0;
    const server = createServer(
      {
        ...selfSigned,
        SNICallback(name, callback) {
          named.push(name);
          callback(null);
        },
      },
      (socket) => socket.on('error', () => undefined).on('data', () => (asked += 1)),
    );
    server.on('tlsClientError', () => undefined);
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    onTestFinished(() => void server.close());
    const url = new URL(`https://shop.example.com:${(server.address() as AddressInfo).port}/`);
    const addresses = [{ address: '127.0.0.1', family: 4 }] as const;
    const posted = postOnce({ url, addresses, headers: {}, body: 'a', signal: signal() });
    await expect(posted).rejects.toMatchObject({ code: 'DEPTH_ZERO_SELF_SIGNED_CERT' });
    expect([named, asked]).toEqual([['shop.example.com'], 0]);
  });
});
