import type { Sender } from './sender.ts';

/** An address with the name of its owner, if there is one. */
export type Mailbox = { readonly address: string; readonly name?: string | undefined };

/** One mail, ready to be sent. A repetition is the same, byte for byte. */
export type Mail = {
  /** Of the message in the outbox. */
  readonly id: string;
  /** Has passed `soundMailbox`. */
  readonly to: Mailbox;
  readonly subject: string;
  readonly text: string;
  readonly html: string;
  /** When what it tells happened. */
  readonly at: Date;
};

/** Takes our mail: a mail server by SMTP, or a provider by HTTP. */
export type MailSender = Sender<Mail>;
