import { createHmac } from 'node:crypto';
import { readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { presentEvent, type ProviderEvent } from './provider-event.ts';
import { now, type Settings } from './settings.ts';
import { WebhookPlan, type WebhookWish, webhookWish } from './webhook-plan.ts';

/** One event on its way to the endpoint. */
interface Delivery {
  event: ProviderEvent;
  state: 'waiting' | 'sending' | 'delivered' | 'lost' | 'given_up';
  /** When it is sent next, by the sandbox's clock; after the next event where it is out of turn. */
  due: number;
  outOfTurn: boolean;
  attempts: { at: string; answer: number | string }[];
}

const TICK_MS = 25;
/** Stripe gives an endpoint some seconds. */
const TIMEOUT_MS = 10_000;
const AT_ONCE = 20;

/**
 * Sends events to an endpoint, at least once, each attempt with a signature of its own. The endpoint outlives a restart;
 * what was under way then is sent again when it is asked for.
 */
export class WebhookSender {
  readonly #settings: Settings;
  readonly #file: string;
  readonly #deliveries: Delivery[] = [];
  /** Those that are still to be sent. */
  readonly #open = new Set<Delivery>();
  readonly #timer: NodeJS.Timeout;
  #wish: WebhookWish | undefined;
  #plan = new WebhookPlan([]);
  #sending = 0;
  #told: number;

  /** @param told how many events there were before the start */
  constructor(settings: Settings, directory: string, told: number) {
    this.#told = told;
    this.#settings = settings;
    this.#file = join(directory, 'webhooks.json');
    this.#wish = read(this.#file);
    this.#timer = setInterval(() => this.#look(), TICK_MS);
    this.#timer.unref();
  }

  /** Sends what happens from now on there. */
  set(wish: WebhookWish): void {
    const { url, secret, backoffMs } = wish;
    writeFileSync(`${this.#file}.new`, JSON.stringify({ url, secret, backoffMs }), { mode: 0o600 });
    renameSync(`${this.#file}.new`, this.#file);
    this.#wish = wish;
    this.#plan = new WebhookPlan(wish.plan);
  }

  forget(): void {
    rmSync(this.#file, { force: true });
    this.#wish = undefined;
    this.#deliveries.length = 0;
    this.#open.clear();
  }

  /**
   * Takes in what has happened, up to so many events since the beginning.
   * @returns when those that are told early have been sent
   */
  async tell(all: readonly ProviderEvent[], until: number): Promise<void> {
    const fresh = all.slice(this.#told, until);
    this.#told = Math.max(this.#told, until);
    if (this.#wish === undefined) return;
    const early: Delivery[] = [];
    for (const event of fresh) {
      const rule = this.#plan.take(event.type);
      const at = now(this.#settings);
      const copies = rule?.do === 'duplicate' ? rule.copies : 0;
      for (let n = 0; n <= copies; n += 1) {
        const delivery: Delivery = {
          event,
          state: rule?.do === 'lose' ? 'lost' : 'waiting',
          due: rule?.do === 'delay' ? at + rule.delayMs : at,
          outOfTurn: rule?.do === 'reorder',
          attempts: [],
        };
        this.#deliveries.push(delivery);
        if (delivery.state === 'waiting') this.#open.add(delivery);
        if (rule?.do === 'early') early.push(delivery);
      }
    }
    await Promise.all(early.map((delivery) => this.#send(delivery)));
  }

  /** Sends an event once more, now. */
  resend(event: ProviderEvent): void {
    const due = now(this.#settings);
    const delivery: Delivery = { event, state: 'waiting', due, outOfTurn: false, attempts: [] };
    this.#deliveries.push(delivery);
    this.#open.add(delivery);
  }

  report() {
    return {
      endpoint: this.#wish && { url: this.#wish.url, plan: this.#wish.plan, backoffMs: this.#wish.backoffMs },
      deliveries: this.#deliveries.map(({ event, state, due, attempts }) => ({
        ...{ id: event.id, type: event.type, object: event.about.it.id, state },
        ...(state === 'waiting' ? { due: new Date(due).toISOString() } : {}),
        attempts,
      })),
    };
  }

  close(): void {
    clearInterval(this.#timer);
  }

  #look(): void {
    if (this.#wish === undefined) return;
    const at = now(this.#settings);
    for (const delivery of this.#open) {
      if (this.#sending >= AT_ONCE) return;
      if (delivery.state === 'waiting' && !delivery.outOfTurn && delivery.due <= at) void this.#send(delivery);
    }
  }

  async #send(delivery: Delivery): Promise<void> {
    const { event, attempts } = delivery;
    const wish = this.#wish;
    if (wish === undefined) return;
    delivery.state = 'sending';
    this.#sending += 1;
    const answer = await attempt(wish, JSON.stringify(presentEvent(event, 1)));
    this.#sending -= 1;
    attempts.push({ at: new Date(now(this.#settings)).toISOString(), answer });
    if (typeof answer === 'number' && answer >= 200 && answer < 300) {
      delivery.state = 'delivered';
      this.#open.delete(delivery);
      for (const other of this.#open) if (other.event !== event) other.outOfTurn = false;
      return;
    }
    const pause = wish.backoffMs[attempts.length - 1];
    delivery.state = pause === undefined ? 'given_up' : 'waiting';
    if (pause === undefined) this.#open.delete(delivery);
    delivery.due = now(this.#settings) + (pause ?? 0);
  }
}

/** @returns the status of the answer, or why there was none */
async function attempt({ url, secret }: WebhookWish, body: string): Promise<number | string> {
  // The receiver's clock is the machine's, whatever the sandbox's says.
  const time = Math.floor(Date.now() / 1000);
  const signature = createHmac('sha256', secret).update(`${time}.${body}`).digest('hex');
  try {
    const response = await fetch(url, {
      method: 'POST',
      headers: { 'content-type': 'application/json; charset=utf-8', 'stripe-signature': `t=${time},v1=${signature}` },
      body,
      redirect: 'manual',
      signal: AbortSignal.timeout(TIMEOUT_MS),
    });
    await response.arrayBuffer();
    return response.status;
  } catch (error) {
    return String((error as { cause?: Error }).cause?.message ?? (error as Error).message);
  }
}

function read(file: string): WebhookWish | undefined {
  try {
    return webhookWish.parse(JSON.parse(readFileSync(file, 'utf8')));
  } catch {
    return undefined;
  }
}
