import { expect, it } from 'vitest';
import { providerMailSender } from '../../activities/delivery/provider-mail-sender.ts';
import { smsSender } from '../../activities/delivery/sms-sender.ts';
import { Doubtful } from '../../activities/stores/outcomes/doubtful.ts';
import { Refused } from '../../activities/stores/outcomes/refused.ts';
import { Throttled } from '../../activities/stores/outcomes/throttled.ts';
import { startProvider, temporaryDirectory, type TestProvider } from './provider.ts';
import { spawnSandbox } from './spawned-sandbox.ts';

type Taken = { channel: string; key: string; body: Record<string, unknown> };

const from = { address: 'shop@example.com', name: 'The shop' };
const mail = {
  ...{ id: 'msg_1', to: { address: 'ann@example.com' }, subject: 'A', text: 'a', html: '<p>a</p>', at: new Date(0) },
};
const handing = { handOver: async () => undefined, signal: new AbortController().signal };
const senderTo = ({ url }: Pick<TestProvider, 'url'>) =>
  providerMailSender({ url: `${url}/messages/mail`, key: 'key', from });
const taken = (provider: TestProvider) => provider.get<Taken[]>('/messages');

it('a mail is taken once under its id, however often it is sent', async () => {
  const provider = await startProvider();
  for (let n = 0; n < 3; n += 1) await senderTo(provider).send(mail, handing);
  expect(await taken(provider)).toMatchObject([
    {
      ...{ channel: 'mail', key: 'msg_1' },
      body: {
        from: '"The shop" <shop@example.com>',
        to: ['ann@example.com'],
        subject: 'A',
        text: 'a',
        html: '<p>a</p>',
      },
    },
  ]);
});

it('a mail whose answer is lost is in doubt, and sent again without a second effect', async () => {
  const provider = await startProvider();
  await provider.post('/_control/faults', { fault: 'drop_after', match: { path: '/messages' } });
  await expect(senderTo(provider).send(mail, handing)).rejects.toThrow(Doubtful);
  expect(await taken(provider)).toHaveLength(1);
  await senderTo(provider).send(mail, handing);
  expect(await taken(provider)).toHaveLength(1);
});

it('another mail under the same id is not taken', async () => {
  const provider = await startProvider();
  await senderTo(provider).send(mail, handing);
  await expect(senderTo(provider).send({ ...mail, subject: 'B' }, handing)).rejects.toThrow(Doubtful);
  expect(await taken(provider)).toHaveLength(1);
});

it('a key counts for as long as the provider keeps it', async () => {
  const provider = await startProvider();
  await senderTo(provider).send(mail, handing);
  await provider.post('/_control/settings', { clockOffsetMs: 25 * 60 * 60 * 1_000 });
  await senderTo(provider).send(mail, handing);
  expect(await taken(provider)).toHaveLength(2);
});

it('what was taken is there after a crash, and so are its keys', async () => {
  const data = await temporaryDirectory();
  const first = await spawnSandbox(data);
  await senderTo(first).send(mail, handing);
  await first.stop('SIGKILL');
  const second = await spawnSandbox(data);
  await senderTo(second).send(mail, handing);
  expect(await taken(second)).toHaveLength(1);
  await second.stop('SIGTERM');
});

it('refuses and turns away in the words of a provider', async () => {
  const provider = await startProvider();
  const refused = senderTo(provider).send({ ...mail, to: { address: 'refused@example.com' } }, handing);
  await expect(refused).rejects.toThrow(Refused);
  await provider.post('/_control/faults', { fault: '429', match: { path: '/messages' }, retryAfter: '7' });
  await expect(senderTo(provider).send(mail, handing)).rejects.toMatchObject({ wait: 7_000 });
  await provider.post('/_control/faults', { fault: '429', match: { path: '/messages' }, retryAfter: null });
  await expect(senderTo(provider).send(mail, handing)).rejects.toThrow(Throttled);
  expect(await taken(provider)).toEqual([]);
});

it('text messages are counted, each once under its id', async () => {
  const provider = await startProvider();
  const sender = smsSender({ url: `${provider.url}/messages/sms`, key: 'key' });
  const sms = { id: 'msg_2', to: '+4915112345678', text: 'Hello.' };
  for (let n = 0; n < 2; n += 1) await sender.send(sms, handing);
  await expect(sender.send({ ...sms, id: 'msg_3', to: '+15005550001' }, handing)).rejects.toThrow(Refused);
  expect(await taken(provider)).toMatchObject([{ channel: 'sms', key: 'msg_2', body: { to: '+4915112345678' } }]);
});
