import { EndpointFault } from '../../endpoint-address/endpoint-fault.ts';
import { resolveEndpoint, type ResolveName } from '../../endpoint-address/resolve-endpoint.ts';
import { type EndpointRules, soundEndpoint } from '../../endpoint-address/sound-endpoint.ts';
import { seconds } from '../../../workflows/operation/duration.ts';
import type { EndpointSecrets } from '../../seal/endpoint-secrets.ts';
import { SealFault } from '../../seal/seals.ts';
import { Doubtful } from '../../stores/outcomes/doubtful.ts';
import { Refused } from '../../stores/outcomes/refused.ts';
import type { Delivery, Webhook } from '../../stores/postgres/outbox/due-deliveries.ts';
import type { Handing } from '../sender.ts';
import { type EventEnvelope, eventEnvelope } from '../event-envelope.ts';
import { EndpointGone, judgeAnswer } from './judge-answer.ts';
import { postOnce } from './post-once.ts';
import { webhookHeaders } from './webhook-headers.ts';

/** From the look for the address to the end of the answer. Standard Webhooks advises 15 to 30 s; a receiver takes it and works later. */
export const longestCall = seconds(15);

export type WebhookSenderParts = {
  readonly rules: EndpointRules;
  readonly secrets: Pick<EndpointSecrets, 'open'>;
  /** Disables an endpoint that is gone, before anything else is made of it. */
  readonly disable: (endpoint: string, because: string) => Promise<void>;
  /** A test passes its own. */
  readonly resolve?: ResolveName;
  /** The longest that one call may take. Milliseconds. */
  readonly longest?: number;
};

/** Sends events to endpoints. */
export class WebhookSender {
  readonly #parts: WebhookSenderParts;

  constructor(parts: WebhookSenderParts) {
    this.#parts = parts;
  }

  /**
   * Resolves when the receiver has taken it.
   * @throws Refused where it is gone, Throttled where it asks us to wait, anything else where it is to be tried again
   */
  async send(message: Delivery['message'], to: Webhook, { handOver, signal }: Handing): Promise<void> {
    const { rules, secrets, disable, resolve, longest = longestCall } = this.#parts;
    const limited = AbortSignal.any([signal, AbortSignal.timeout(longest)]);
    const body = JSON.stringify(eventOf(message, to));
    const sign = openedSecrets(to, (kept) => secrets.open(kept, { tenant: message.tenant, id: to.endpoint }));
    const url = soundEndpoint(to.url, rules);
    const addresses = await within(limited, resolveEndpoint(url, rules, resolve)).catch((error: unknown) => {
      if (error instanceof EndpointFault)
        throw new Error(`The address of the endpoint ${error.message}.`, { cause: error });
      throw error;
    });
    await handOver();
    const headers = {
      'content-type': 'application/json',
      'user-agent': 'Hapax-Webhooks/1',
      ...webhookHeaders(message.id, new Date(), body, sign),
    };
    const answered = await postOnce({ url, addresses, headers, body, signal: limited }).catch((error: unknown) => {
      throw new Doubtful(`The receiver gave no answer${why(error, limited)}.`, { cause: error });
    });
    try {
      judgeAnswer(answered);
    } catch (error) {
      if (!(error instanceof EndpointGone)) throw error;
      await disable(to.endpoint, error.message);
      const detail = `${error.message} Its endpoint is disabled: enable it again, and replay this.`;
      throw new Refused({ code: 'endpoint-disabled', detail });
    }
  }
}

/**
 * The newest secret has to open. The former one signs beside it for a day: where its key has been taken away meanwhile, the newest signs
 * alone.
 */
function openedSecrets({ secrets: [newest, ...former] }: Webhook, open: (kept: string) => string): readonly string[] {
  const opened = newest === undefined ? [] : [open(newest)];
  for (const kept of former)
    try {
      opened.push(open(kept));
    } catch (error) {
      if (!(error instanceof SealFault)) throw error;
    }
  return opened;
}

/** The same bytes at each try, and the same as the broker gets. */
function eventOf(message: Delivery['message'], { event: { aggregate, sequence, cause } }: Webhook): EventEnvelope {
  return eventEnvelope({
    ...{ ...message, aggregateType: aggregate, aggregate: message.about },
    ...{ sequence: BigInt(sequence), cause },
  });
}

/** A name server cannot be told to stop. */
async function within<T>(signal: AbortSignal, work: Promise<T>): Promise<T> {
  const { promise: late, reject } = Promise.withResolvers<never>();
  const stop = (): void => reject(new Error('The name of the endpoint was not resolved in time.'));
  if (signal.aborted) stop();
  signal.addEventListener('abort', stop);
  try {
    return await Promise.race([work, late]);
  } finally {
    signal.removeEventListener('abort', stop);
  }
}

/** Codes of Node are of the connection alone; a message may hold what the receiver said. */
function why(error: unknown, { aborted }: AbortSignal): string {
  if (aborted) return ' in time';
  const { code } = error as { readonly code?: unknown };
  return typeof code === 'string' && /^[A-Z0-9_]+$/.test(code) ? ` (${code})` : '';
}
