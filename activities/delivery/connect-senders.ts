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
    ...(provider && !key ? ['MAIL_PROVIDER_KEY is not set: give the key of the mail provider'] : []),
  ];
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
