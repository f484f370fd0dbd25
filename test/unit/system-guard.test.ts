import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import type { GuardedCall } from '../../activities/engine/guard.ts';
import { SystemGuard } from '../../activities/engine/system-guard.ts';
import { usualProtection } from '../../activities/outside/protection.ts';
import { EffectFree } from '../../activities/stores/outcomes/effect-free.ts';
import { HeldBack } from '../../activities/stores/outcomes/held-back.ts';
import { Refused } from '../../activities/stores/outcomes/refused.ts';
import { Throttled } from '../../activities/stores/outcomes/throttled.ts';
import { LedgerFault } from '../../activities/stores/postgres/ledger-fault.ts';

const pause = 5_000;
const protection = { ...usualProtection, lastCalls: 4, halfOpenAfter: pause, atOnce: 2 };

/** A guard, and what it has told. */
function guarded(changes: Partial<typeof protection> = {}) {
  const sent: string[] = [];
  const turnedAway: string[] = [];
  const opened: boolean[] = [];
  const { guard } = new SystemGuard(
    'the shop',
    { ...protection, ...changes },
    {
      sent: (kind) => void sent.push(kind),
      turnedAway: (by) => void turnedAway.push(by),
      opened: (isOpen) => void opened.push(isOpen),
    },
  );
  const ask = <T>(answer: (signal: AbortSignal) => Promise<T>, call: Partial<GuardedCall> = {}) =>
    guard({ kind: 'first', timeout: 1_000, signal: new AbortController().signal, ...call }, answer);
  return { ask, sent, turnedAway, opened };
}

const works = async () => 'done';
const fails = async () => await Promise.reject(new Error('no answer'));
const never = () => new Promise<never>(() => undefined);
const throwing = (error: unknown) => async () => await Promise.reject(error);

async function open(one: ReturnType<typeof guarded>): Promise<void> {
  for (let n = 0; n < protection.lastCalls; n += 1) await one.ask(fails).catch(() => undefined);
}

beforeEach(() => void vi.useFakeTimers({ now: 1_000_000 }));
afterEach(() => void vi.useRealTimers());

describe('the breaker before an outside system', () => {
  it('opens after calls without a clear outcome, and sends nothing until its pause is over', async () => {
    const one = guarded();
    await open(one);
    expect(one.opened).toEqual([true]);
    const before = one.sent.length;
    const away = await one.ask(works).catch((error: unknown) => error);
    expect(away).toBeInstanceOf(HeldBack);
    expect((away as HeldBack).message).toBe(
      'The shop gives no clear answers, so it is left alone for a moment. Nothing was sent.',
    );
    expect((away as HeldBack).wait).toBeGreaterThan(0);
    expect((away as HeldBack).wait).toBeLessThanOrEqual(2 * pause + 1);
    vi.advanceTimersByTime(pause - 1);
    await expect(one.ask(works)).rejects.toBeInstanceOf(HeldBack);
    expect([one.sent.length, new Set(one.turnedAway)]).toEqual([before, new Set(['breaker'])]);
  });

  it('tries with one call after its pause, turns the others away meanwhile, and closes when that works', async () => {
    const one = guarded();
    await open(one);
    vi.advanceTimersByTime(pause);
    const before = one.sent.length;
    const trial = Promise.withResolvers<string>();
    const tried = one.ask(() => trial.promise);
    await expect(one.ask(works)).rejects.toBeInstanceOf(HeldBack);
    expect(one.sent.length - before).toBe(1);
    trial.resolve('back');
    expect(await tried).toBe('back');
    expect(await one.ask(works)).toBe('done');
    expect(one.opened).toEqual([true, false]);
  });

  it('stays open for another pause when the trial fails, or when nobody sees how it ends', async () => {
    const one = guarded();
    await open(one);
    vi.advanceTimersByTime(pause);
    await expect(one.ask(fails)).rejects.toThrow('no answer');
    await expect(one.ask(works)).rejects.toBeInstanceOf(HeldBack);
    vi.advanceTimersByTime(pause);
    const aborted = AbortSignal.abort();
    await expect(one.ask(fails, { signal: aborted })).rejects.toThrow('no answer');
    await expect(one.ask(works)).rejects.toBeInstanceOf(HeldBack);
    vi.advanceTimersByTime(pause);
    expect(await one.ask(works)).toBe('done');
  });

  it('takes a refusal and a call that was turned away for answers: the system is well', async () => {
    const one = guarded();
    const answers = [
      new Refused({ code: 'card-declined' as never, detail: 'No.' }),
      new Throttled('Wait.', 1_000),
      // What is our own fault, or a cancelled try, says nothing of the system.
      new LedgerFault('unavailable', 'PostgreSQL is away'),
    ];
    for (let n = 0; n < 4; n += 1)
      for (const answer of answers) await expect(one.ask(throwing(answer))).rejects.toBe(answer);
    for (let n = 0; n < 8; n += 1)
      await expect(one.ask(fails, { signal: AbortSignal.abort() })).rejects.toThrow('no answer');
    expect(one.opened).toEqual([]);
  });

  it('counts a stored failure, by which a system that only answers 500 is known', async () => {
    const one = guarded();
    for (let n = 0; n < 4; n += 1) await one.ask(throwing(new EffectFree('The key is spent'))).catch(() => undefined);
    expect(one.opened).toEqual([true]);
  });

  it('stays closed while half of the calls work', async () => {
    const one = guarded();
    for (let n = 0; n < 20; n += 1) await one.ask(n % 2 === 0 ? works : fails).catch(() => undefined);
    expect(one.opened).toEqual([]);
  });
});

describe('the bulkhead before an outside system', () => {
  it('turns away what is too much at once, and takes the next call when one has ended', async () => {
    const one = guarded();
    const held = Promise.withResolvers<string>();
    const under = [one.ask(() => held.promise), one.ask(() => held.promise)];
    const away = await one.ask(works).catch((error: unknown) => error);
    expect(away).toBeInstanceOf(HeldBack);
    expect([one.sent.length, one.turnedAway]).toEqual([2, ['bulkhead']]);
    held.resolve('done');
    await Promise.all(under);
    expect(await one.ask(works)).toBe('done');
    expect(one.opened).toEqual([]);
  });
});

describe('the time limit of a guarded call', () => {
  it('cuts a call that does not keep its own, gives its place free, and counts it as unclear', async () => {
    const one = guarded({ atOnce: 1 });
    for (let n = 0; n < 2; n += 1) {
      let signal: AbortSignal | undefined;
      const cut = one.ask((given) => {
        signal = given;
        return never();
      });
      const ended = expect(cut).rejects.toThrow('The shop gave no answer within 1000 ms.');
      await vi.advanceTimersByTimeAsync(1_050);
      await ended;
      expect(signal?.aborted).toBe(true);
    }
    expect(one.opened).toEqual([true]);
  });
});

describe('the budget of retries', () => {
  it('holds back the retries of a quiet system beyond its floor, and no first call', async () => {
    const one = guarded({ retriesAtLeast: 3, atOnce: 100 });
    for (let n = 0; n < 3; n += 1) await one.ask(works, { kind: 'retry' });
    const away = await one.ask(works, { kind: 'retry' }).catch((error: unknown) => error);
    expect(away).toBeInstanceOf(HeldBack);
    expect(one.turnedAway).toEqual(['retry-budget']);
    expect(await one.ask(works)).toBe('done');
    expect(await one.ask(works, { kind: 'look' })).toBe('done');
    await vi.advanceTimersByTimeAsync((away as HeldBack).wait);
    expect(await one.ask(works, { kind: 'retry' })).toBe('done');
  });
});
