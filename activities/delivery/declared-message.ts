import type { z } from 'zod';
import type { Mailbox } from './mail-sender.ts';

/** What every message declares, for mail and text messages alike. */
type About = {
  /** The `type` under which a step tells it. */
  readonly type: string;
  /**
   * What becomes of a message that may have left when its sender died, where the system does not know ids. `at_least_once`: it is
   * sent again. `at_most_once`: it is not, and a person decides.
   */
  readonly repeats: 'at_least_once' | 'at_most_once';
  /** For how long it is tried. Then a person has to look. Milliseconds. */
  readonly patience: number;
  /**
   * The fields of the payload that are sealed as the request of the operation that tells it has them, and its flow. They are opened
   * where the message is written, and nowhere before.
   */
  readonly sealed?: { readonly flow: string; readonly fields: readonly string[] };
};

/** A message that the product sends. `write` throws where the payload has another form than declared. */
export type DeclaredMessage<Text> = About & { readonly write: (payload: unknown) => Text };

type Template<Payload, Text> = About & {
  /** What the step tells. Its recipient is `email` of a mail, and `phone` of a text message. */
  readonly payload: z.ZodType<Payload>;
  readonly write: (payload: Payload) => Text;
};

type MailText = {
  readonly to: Mailbox;
  readonly subject: string;
  readonly text: string;
  readonly html: string;
};

export type MailMessage = DeclaredMessage<MailText>;
export type SmsMessage = DeclaredMessage<{ readonly to: string; readonly text: string }>;

/** Declares a message: the form of its payload, and how it is written. */
export function declareMessage<Payload, Text>({
  payload,
  write,
  ...about
}: Template<Payload, Text>): DeclaredMessage<Text> {
  return { ...about, write: (told) => write(payload.parse(told)) };
}
