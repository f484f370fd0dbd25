import { z } from 'zod';
import { readMailbox } from '../activities/delivery/read-mailbox.ts';
import { setting } from '../activities/outside/setting.ts';

/** A password that is not encoded ends the address early: what follows its `#`, `/` or `?` would be lost. */
function isMailServer(text: string): boolean {
  const { protocol = '', hostname = '', pathname = '', search = '', hash } = URL.parse(text) ?? {};
  const ends = /^\/?$/.test(pathname) && hash === '' && !search.includes('@');
  return /^smtps?:$/.test(protocol) && hostname !== '' && ends;
}

/** By what messages leave; see docs/mail.md. What is not set waits in the outbox. */
export const mailFields = {
  /** `smtp://user:password@host:587`, or `smtps://` for TLS from the start. The query holds further options. */
  SMTP_URL: z
    .string()
    .refine(isMailServer, {
      error:
        'give the address of the mail server, such as smtps://user:password@mail.example.com, with the password encoded',
    })
    .optional(),
  /** Who our mail is from: `The shop <shop@example.com>`. Bounces go there. */
  MAIL_FROM: z
    .string()
    .transform((text, context) => {
      try {
        return readMailbox(text);
      } catch (error) {
        context.addIssue({
          code: 'custom',
          message: `give it as The shop <shop@example.com>. ${(error as Error).message}`,
        });
        return z.NEVER;
      }
    })
    .optional(),
  /** A provider that takes mail by HTTP and keeps idempotency keys, instead of SMTP_URL. */
  MAIL_PROVIDER_URL: setting.address('the mail provider'),
  MAIL_PROVIDER_KEY: setting.optional(),
  SMS_PROVIDER_URL: setting.address('the SMS provider'),
  SMS_PROVIDER_KEY: setting.optional(),
  /** Whether webhooks may go to this machine, by http too: for a local stack, since a receiver there can be any service of ours. */
  HAPAX_WEBHOOK_LOOPBACK: z.enum(['on', 'off'], { error: 'give on or off' }).default('off'),
  /** Where the local mail catcher takes mail and shows it. */
  HAPAX_SMTP_PORT: setting.port(1025),
  HAPAX_MAIL_UI_PORT: setting.port(1080),
} as const;
