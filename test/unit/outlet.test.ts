import { expect, it } from 'vitest';
import type { Mail } from '../../activities/delivery/mail-sender.ts';
import { mailOutlet, smsOutlet } from '../../activities/delivery/outlet.ts';
import type { Sender } from '../../activities/delivery/sender.ts';
import { unguarded } from '../../activities/engine/guard.ts';
import type { Environment } from '../../workflows/operation/key.ts';
import { testSeals } from '../support/seal-keys.ts';

const about = { type: 'a', repeats: 'at_least_once', patience: 1 } as const;
const parts = { guard: unguarded, seals: testSeals };
const handing = { handOver: async () => undefined, signal: new AbortController().signal };

/** A sender that keeps what it is given. */
function kept<Message>(sent: Message[]): Sender<Message> {
  return {
    ...{ called: 'the mail server', place: 'smtp:mail.test', knowsIdsFor: 0, longestSend: 1 },
    async send(message) {
      sent.push(message);
    },
  };
}

const message = (environment: Environment, channel: 'mail' | 'sms') => ({
  ...{ id: 'msg_1', tenant: 'alpha', environment, channel, about: 'ord_1', operation: 'op_1' },
  ...{ type: 'a', payload: {}, occurredAt: new Date(0) },
});

it('what a test tells is marked, so that nobody takes it for a true order', async () => {
  const mails: Mail[] = [];
  const texts: { readonly text: string }[] = [];
  const mail = { to: { address: 'ann@example.com' }, subject: 'Your receipt', text: 'Thanks.', html: '<p>Thanks.</p>' };
  const text = { to: '+4915112345678', text: 'Thanks.' };
  const byMail = mailOutlet(kept(mails), [{ ...about, write: () => mail }], parts);
  const bySms = smsOutlet(kept(texts), [{ ...about, write: () => text }], parts);
  for (const environment of ['live', 'test'] as const) {
    await byMail.write(message(environment, 'mail'))(handing);
    await bySms.write(message(environment, 'sms'))(handing);
  }
  expect(mails.map(({ subject }) => subject)).toEqual(['Your receipt', '[test] Your receipt']);
  expect(texts.map((sms) => sms.text)).toEqual(['Thanks.', '[test] Thanks.']);
});
