import { Doubtful } from '../../../activities/stores/outcomes/doubtful.ts';
import { Throttled } from '../../../activities/stores/outcomes/throttled.ts';
import { seconds } from '../../../workflows/operation/duration.ts';
import type { MoneyHistory } from '../histories/money-history.ts';
import type { Harms } from './harms.ts';
import type { VirtualTime } from './virtual-time.ts';

/** The calls that have effects, as the sandbox's address of each, by which a history names its faults. */
const paths = {
  open: '/v1/payment_intents',
  confirm: '/v1/payment_intents/pi/confirm',
  capture: '/v1/payment_intents/pi/capture',
  cancel: '/v1/payment_intents/pi/cancel',
  giveAllBack: '/v1/refunds',
  refund: '/v1/refunds',
} as const;

/** What an effect may be told: that its provider fails before or behind it, and keeps the failure. */
type Spoils = 'before' | 'after' | undefined;

/** The line between us and the provider. Faults of a history meet each of its operations once. */
export class ProviderLine {
  readonly #time: VirtualTime;
  readonly #harms: Harms;
  readonly #faults: MoneyHistory['faults'];
  /** For each operation, how many calls are still to pass before a fault; -1 behind it. */
  readonly #left = new Map<string, number[]>();

  constructor(time: VirtualTime, harms: Harms, faults: MoneyHistory['faults']) {
    this.#time = time;
    this.#harms = harms;
    this.#faults = faults;
  }

  get now(): number {
    return this.#time.now;
  }

  /** A question without an effect. */
  async ask<T>(look: () => T): Promise<T> {
    if ((await this.#harms.pass(this.#time, 'provider')) !== undefined) throw unclear();
    const found = look();
    await this.#harms.pass(this.#time, 'provider answers');
    return found;
  }

  /** A call with an effect. @throws Doubtful where question or answer was lost, Throttled where it was turned away */
  async cross<T>(call: keyof typeof paths, operation: string, effect: (spoils: Spoils) => T): Promise<T> {
    const late = await this.#harms.pass(this.#time, 'provider');
    if (late !== undefined) {
      this.#time.spawn(async () => {
        await this.#time.sleep(late);
        effect(undefined);
      });
      throw unclear();
    }
    const done = this.#faulty(this.#fault(call, operation), effect);
    await this.#harms.pass(this.#time, 'provider answers');
    return done;
  }

  #faulty<T>(fault: string | undefined, effect: (spoils: Spoils) => T): T {
    switch (fault) {
      case undefined:
        return effect(undefined);
      case '429':
        throw new Throttled('The payment provider asks us to wait.', seconds(1));
      case '409':
      case 'drop_before':
        throw unclear();
      case '500_before':
      case '500_after':
        effect(fault === '500_before' ? 'before' : 'after');
        throw unclear();
      default:
        // Dropped, garbled, cut or empty: it has happened, and nobody can read how.
        effect(undefined);
        throw unclear();
    }
  }

  #fault(call: keyof typeof paths, operation: string): string | undefined {
    const left = this.#left.get(operation) ?? this.#faults.map(({ after }) => after);
    this.#left.set(operation, left);
    for (const [n, { path, fault }] of this.#faults.entries()) {
      const still = left[n] ?? -1;
      if (still < 0 || !new RegExp(path).test(paths[call])) continue;
      left[n] = still - 1;
      if (still === 0) return fault;
    }
    return undefined;
  }
}

function unclear(): Doubtful {
  return new Doubtful('The payment provider gave no usable answer.');
}
