import { z } from 'zod';

/** What befalls the deliveries of events; the first rule that fits an event counts. */
const rule = z.strictObject({
  /** The start of the event's type. Default: any. */
  type: z.string().default(''),
  /** How many events that fit pass first. */
  after: z.int().min(0).default(0),
  /** How many events it hits; by default all that fit. */
  times: z.int().min(1).optional(),
  /**
   * `duplicate`: delivered `copies` times more, at once. `delay`: delivered `delayMs` later. `reorder`: delivered after the
   * next event. `early`: delivered before the call that caused it is answered. `lose`: never delivered by itself.
   */
  do: z.enum(['duplicate', 'delay', 'reorder', 'early', 'lose']),
  copies: z.int().min(1).max(1000).default(1),
  delayMs: z.number().min(0).default(1000),
});

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;

/** Pauses between attempts: three days in all, as Stripe has it in live mode. */
const THREE_DAYS = [
  5 * MINUTE,
  30 * MINUTE,
  2 * HOUR,
  5 * HOUR,
  10 * HOUR,
  ...Array.from({ length: 4 }, () => 12 * HOUR),
  6 * HOUR,
];

/** Where events go, and how. */
export const webhookWish = z.strictObject({
  url: z.url({ protocol: /^https?$/ }),
  secret: z.string().min(1),
  plan: z.array(rule).default([]),
  /** Milliseconds between attempts, by the sandbox's clock; when they are used up, the event is given up. */
  backoffMs: z.array(z.number().min(0)).default(THREE_DAYS),
});

type WebhookRule = z.output<typeof rule>;
export type WebhookWish = z.output<typeof webhookWish>;

/** Takes the rule that an event meets, and counts it. */
export class WebhookPlan {
  readonly #rules: { rule: WebhookRule; seen: number }[];

  constructor(rules: readonly WebhookRule[]) {
    this.#rules = rules.map((rule) => ({ rule, seen: 0 }));
  }

  take(type: string): WebhookRule | undefined {
    for (const one of this.#rules) {
      if (!type.startsWith(one.rule.type)) continue;
      one.seen += 1;
      const n = one.seen - one.rule.after;
      if (n >= 1 && (one.rule.times === undefined || n <= one.rule.times)) return one.rule;
    }
    return undefined;
  }
}
