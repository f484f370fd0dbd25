import { providerSender } from './provider-sender.ts';
import type { Sender } from './sender.ts';

/** One text message, ready to be sent. */
type Sms = {
  /** Of the message in the outbox. */
  readonly id: string;
  /** By E.164, such as `+4915112345678`. */
  readonly to: string;
  readonly text: string;
};

/** Takes our text messages. */
export type SmsSender = Sender<Sms>;

/** A provider of text messages by HTTP. */
export function smsSender({ url, key }: { readonly url: string; readonly key: string | undefined }): SmsSender {
  return providerSender({ called: 'the SMS provider', url, key, body: ({ to, text }) => ({ to, text }) });
}
