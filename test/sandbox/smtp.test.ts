import { expect, it, onTestFinished } from 'vitest';
import type { Mail } from '../../activities/delivery/mail-sender.ts';
import { smtpMailSender } from '../../activities/delivery/smtp-mail-sender.ts';
import { Doubtful } from '../../activities/stores/outcomes/doubtful.ts';
import { Refused } from '../../activities/stores/outcomes/refused.ts';
import { Throttled } from '../../activities/stores/outcomes/throttled.ts';
import { MailCatcher } from '../support/mail-catcher.ts';

const from = { address: 'shop@example.com', name: 'The shop' };
const mail: Mail = {
  id: 'msg_0123456789abcdefghjkmnpqrs',
  to: { address: 'ann@example.com', name: 'Änn' },
  subject: 'Your receipt: 12.50 €',
  text: 'Thank you.\n.\nA line with a dot alone stands above.\n',
  html: '<p>Thank you.</p>',
  at: new Date('2026-11-28T08:00:00Z'),
};

async function caught(options?: Parameters<typeof MailCatcher.start>[0]): Promise<MailCatcher> {
  const catcher = await MailCatcher.start(options);
  onTestFinished(() => catcher.goAway());
  return catcher;
}

/** Sends a mail, and counts how often it was about to be handed over. */
async function sent(url: string, changes: Partial<Mail> = {}, handOver: () => Promise<void> = async () => undefined) {
  let times = 0;
  const stop = new AbortController();
  const end = smtpMailSender({ url, from }).send(
    { ...mail, ...changes },
    {
      signal: stop.signal,
      handOver: async () => {
        times += 1;
        await handOver();
      },
    },
  );
  const failed = await end.then(
    () => undefined,
    (error: unknown) => error,
  );
  return { failed, times };
}

it('a mail arrives whole, under the id of its message, and once more the same byte for byte', async () => {
  const catcher = await caught();
  expect(await sent(catcher.url)).toEqual({ failed: undefined, times: 1 });
  expect(await sent(catcher.url)).toEqual({ failed: undefined, times: 1 });
  const [first, second] = catcher.mails;
  expect(first).toMatchObject({ to: 'ann@example.com', id: `${mail.id}@example.com` });
  expect(second?.source).toBe(first?.source);
  const lines = first?.source.split('\r\n') ?? [];
  expect(lines).toEqual(
    expect.arrayContaining([
      'From: The shop <shop@example.com>',
      'To: =?UTF-8?Q?=C3=84nn?= <ann@example.com>',
      'Date: Sat, 28 Nov 2026 08:00:00 +0000',
      'Auto-Submitted: auto-generated',
      '.',
    ]),
  );
});

it.each([
  [550, 'no such mailbox', Refused],
  [552, 'mailbox full for good', Refused],
  [450, 'greylisted', Throttled],
  [421, 'too many connections', Throttled],
])('a recipient that is answered with %i (%s) is known not to have it', async (code, _, kind) => {
  const catcher = await caught();
  catcher.manner = { refuses: () => code };
  const { failed, times } = await sent(catcher.url);
  expect(failed).toBeInstanceOf(kind);
  expect((failed as Error).message).toContain(String(code));
  expect([times, catcher.mails.length]).toEqual([0, 0]);
});

it.each([
  [554, Refused],
  [451, Throttled],
])('a mail that is answered with %i after its end is known not to be taken', async (code, kind) => {
  const catcher = await caught();
  catcher.manner = { refusesMail: code };
  expect((await sent(catcher.url)).failed).toBeInstanceOf(kind);
});

it.each([
  [550, '5.7.1 Relay access denied'],
  [554, '5.7.1 <ann@example.com>: Recipient address rejected: Access denied'],
  [550, '5.4.5 Daily user sending limit exceeded'],
  [550, 'relay not permitted'],
])('an answer about us is no fault of the mail, wherever it comes: %i %s', async (code, says) => {
  const catcher = await caught();
  catcher.manner = { refuses: () => code, says };
  const { failed, times } = await sent(catcher.url);
  // It is a clear no as well: nothing was taken.
  expect([failed, times]).toEqual([expect.any(Throttled), 0]);
  catcher.manner = { refusesMail: code, says };
  expect((await sent(catcher.url)).failed).toBeInstanceOf(Throttled);
  expect(catcher.mails).toEqual([]);
});

it('a mailbox that is not there is the mail’s own, though the answer has a code of its own', async () => {
  const catcher = await caught();
  catcher.manner = { refuses: () => 550, says: '5.1.1 No such user' };
  expect((await sent(catcher.url)).failed).toBeInstanceOf(Refused);
});

it('a server that offers no login gets nothing where one is set', async () => {
  const catcher = await caught();
  const { failed, times } = await sent(catcher.url.replace('//', '//shop:secret@'));
  for (const kind of [Refused, Throttled]) expect(failed).not.toBeInstanceOf(kind);
  expect([(failed as Error).message, times]).toEqual([expect.stringContaining('offers no login'), 0]);
  expect((failed as Error).message).not.toContain('secret');
  expect(catcher.mails).toEqual([]);
});

it('a connection that breaks after the mail leaves a doubt, and one that breaks before it none', async () => {
  const catcher = await caught();
  catcher.manner = { cuts: true };
  const after = await sent(catcher.url);
  expect([after.failed, after.times, catcher.mails.length]).toEqual([expect.any(Doubtful), 1, 1]);
  await catcher.goAway();
  const before = await sent(catcher.url);
  expect([before.failed, before.times]).toEqual([expect.any(Doubtful), 0]);
  await catcher.comeBack();
});

it('a server that answers slowly is waited for', async () => {
  const catcher = await caught();
  catcher.manner = { late: () => 700 };
  expect(await sent(catcher.url)).toEqual({ failed: undefined, times: 1 });
});

it('a mail that may not be handed over is not taken, though the server waits for it', async () => {
  const catcher = await caught();
  const stopped = new Error('another sender has it');
  const { failed } = await sent(catcher.url, {}, async () => {
    throw stopped;
  });
  expect(failed).toBe(stopped);
  // The next one shows that the server has closed the book on the first.
  expect((await sent(catcher.url)).failed).toBeUndefined();
  expect(catcher.mails).toHaveLength(1);
});

it('a send that is aborted before the mail is handed over has no effect', async () => {
  const catcher = await caught();
  const stop = new AbortController();
  const send = smtpMailSender({ url: catcher.url, from }).send(mail, {
    signal: stop.signal,
    handOver: async () => stop.abort(new Error('time is over')),
  });
  await expect(send).rejects.toThrow('time is over');
  expect(catcher.mails).toEqual([]);
});

it('a login that is refused is no fault of the mail: it is tried again when somebody has mended it', async () => {
  const catcher = await caught({ login: { user: 'shop', pass: 'p@ss/word' } });
  const address = (user: string) => catcher.url.replace('//', `//${user}:${encodeURIComponent('p@ss/word')}@`);
  const { failed } = await sent(address('somebody'));
  for (const kind of [Refused, Throttled]) expect(failed).not.toBeInstanceOf(kind);
  expect((failed as Error).message).toContain('535');
  expect((await sent(address('shop'))).failed).toBeUndefined();
  expect(catcher.mails).toHaveLength(1);
});

it('a server that asks for a login where none is given is no fault of the mail either', async () => {
  const catcher = await caught({ login: { user: 'shop', pass: 'secret' } });
  const { failed } = await sent(catcher.url);
  expect(failed).toBeInstanceOf(Error);
  expect(failed).not.toBeInstanceOf(Refused);
});

it('a name beyond ASCII goes to a server that takes it, and is refused for one that does not', async () => {
  const to = { address: 'jürgen@xn--mller-kva.example' };
  const knows = await caught();
  expect((await sent(knows.url, { to })).failed).toBeUndefined();
  // The server shows the domain as people write it.
  expect(knows.mails.map((one) => one.to)).toEqual(['jürgen@müller.example']);
  const plain = await caught({ hideSMTPUTF8: true });
  const { failed } = await sent(plain.url, { to });
  expect(failed).toBeInstanceOf(Refused);
  expect(plain.mails).toEqual([]);
});

it('a server that is to use TLS and does not offer it gets nothing', async () => {
  const catcher = await caught();
  const { failed, times } = await sent(`${catcher.url}?requireTLS=true`);
  expect([failed, times]).toEqual([expect.any(Error), 0]);
  expect(catcher.mails).toEqual([]);
});
