import { z } from 'zod';
import type { Json } from '../engine/json.ts';
import { exchange } from '../engine/http-exchange.ts';
import { hours, seconds } from '../../workflows/operation/duration.ts';
import type { Sender } from './sender.ts';

/** One request with a small body. A provider that takes longer is in trouble. */
const longestSend = seconds(20);
/** Providers document that they keep a key for 24 hours. One hour is left for the clocks and the way there. */
const knowsIdsFor = hours(23);

const refusal = z.object({ message: z.string() });

type Provider<Message> = {
  /** As sentences call it, such as `the mail provider`. */
  readonly called: string;
  readonly url: string;
  readonly key: string | undefined;
  readonly body: (message: Message) => Json;
};

/**
 * A provider that takes messages as JSON and keeps idempotency keys. The message's id is the key, so a message whose answer was
 * lost is sent again without a second effect.
 */
export function providerSender<Message extends { readonly id: string }>(provider: Provider<Message>): Sender<Message> {
  const { called, url, key, body } = provider;
  const { origin, pathname } = new URL(url);
  const system = `${called.charAt(0).toUpperCase()}${called.slice(1)}`;
  const answers = {
    system,
    answer: z.unknown(),
    // It will never take this message. Other statuses may pass, or are ours to mend.
    refuses: {
      422(answered: unknown) {
        const read = refusal.safeParse(answered);
        const why = read.success ? read.data.message : 'It does not say why.';
        return { code: 'message-refused', detail: `${system} refuses it: ${why}` } as const;
      },
    },
    headers: key === undefined ? {} : { authorization: `Bearer ${key}` },
  };
  return {
    called,
    place: `${origin}${pathname}`,
    knowsIdsFor,
    longestSend,
    async send(message, { handOver, signal }) {
      const asked = { url, body: body(message) };
      await handOver();
      await exchange(asked, answers, { timeout: longestSend, signal }, message.id);
    },
  };
}
