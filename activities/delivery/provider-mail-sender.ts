import type { MailSender, Mailbox } from './mail-sender.ts';
import { providerSender } from './provider-sender.ts';

type Provider = { readonly url: string; readonly key: string; readonly from: Mailbox };

/** A provider of mail by HTTP. */
export function providerMailSender({ url, key, from }: Provider): MailSender {
  return providerSender({
    called: 'the mail provider',
    url,
    key,
    body: ({ to, subject, text, html }) => ({ from: lineOf(from), to: [lineOf(to)], subject, text, html }),
  });
}

/** `"Ann Smith" <ann@example.com>`: a sound name holds neither quotes nor backslashes. */
function lineOf({ address, name }: Mailbox): string {
  return name === undefined ? address : `"${name}" <${address}>`;
}
