import type { MailSender, Mailbox } from './mail-sender.ts';
import { providerMailSender } from './provider-mail-sender.ts';
import { type SmsSender, smsSender } from './sms-sender.ts';
import { smtpMailSender } from './smtp-mail-sender.ts';

type SenderSettings = {
  readonly SMTP_URL?: string | undefined;
  readonly MAIL_FROM?: Mailbox | undefined;
  readonly MAIL_PROVIDER_URL?: string | undefined;
  readonly MAIL_PROVIDER_KEY?: string | undefined;
  readonly SMS_PROVIDER_URL?: string | undefined;
  readonly SMS_PROVIDER_KEY?: string | undefined;
};

type Senders = { readonly mail: MailSender | undefined; readonly sms: SmsSender | undefined };

/** @returns what is wrong with the settings together, one sentence each */
export function senderFaults(settings: SenderSettings): readonly string[] {
  const { SMTP_URL: smtp, MAIL_PROVIDER_URL: provider, MAIL_PROVIDER_KEY: key, MAIL_FROM: from } = settings;
  return [
    ...(smtp && provider
      ? ['SMTP_URL and MAIL_PROVIDER_URL are both set: mail leaves by one of them. Unset the other.']
      : []),
    ...((smtp || provider) && from === undefined
      ? ['MAIL_FROM is not set: give who mail is from, such as The shop <shop@example.com>']
      : []),
    ...(from !== undefined && isFarAway(smtp ?? provider) && ofNobody.test(from.address)
      ? [`MAIL_FROM is ${from.address}, which stands for the local mail catcher: give an address of yours`]
      : []),
    ...(provider && !key ? ['MAIL_PROVIDER_KEY is not set: give the key of the mail provider'] : []),
  ];
}

/** Names that nobody can have (RFC 2606): an answer, or a bounce, would go nowhere. */
const ofNobody = /\.(?:test|example|invalid|localhost)$/i;

/** Whether a server has a name of the Internet. Those of this machine and of its containers' networks have none. */
function isFarAway(address: string | undefined): boolean {
  const { hostname = '' } = URL.parse(address ?? '') ?? {};
  return hostname.includes('.') && !/^127\.|\.localhost$/.test(hostname) && !ofNobody.test(hostname);
}

/** The senders whose settings are given. */
export function connectSenders(settings: SenderSettings): Senders {
  const { MAIL_FROM: from, MAIL_PROVIDER_URL: provider, MAIL_PROVIDER_KEY: key } = settings;
  const { SMS_PROVIDER_URL: sms, SMTP_URL: smtp } = settings;
  return {
    mail: from && mailSender(from, smtp, provider && key ? { url: provider, key } : undefined),
    sms: sms ? smsSender({ url: sms, key: settings.SMS_PROVIDER_KEY }) : undefined,
  };
}

function mailSender(
  from: Mailbox,
  smtp: string | undefined,
  provider: { readonly url: string; readonly key: string } | undefined,
): MailSender | undefined {
  if (provider !== undefined) return providerMailSender({ ...provider, from });
  return smtp ? smtpMailSender({ url: smtp, from }) : undefined;
}
