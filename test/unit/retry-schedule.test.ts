import { describe, expect, it } from 'vitest';
import { expectTurn } from '../../activities/engine/expect-turn.ts';
import { paced } from '../../activities/engine/paced.ts';
import { SystemGuards } from '../../activities/engine/system-guards.ts';
import { usualProtection } from '../../activities/outside/protection.ts';
import { systems } from '../../activities/outside/systems.ts';
import { Doubtful } from '../../activities/stores/outcomes/doubtful.ts';
import { HeldBack } from '../../activities/stores/outcomes/held-back.ts';
import { Refused } from '../../activities/stores/outcomes/refused.ts';
import { Throttled } from '../../activities/stores/outcomes/throttled.ts';
import { LedgerFault } from '../../activities/stores/postgres/ledger-fault.ts';
import { flows } from '../../workflows/flows.ts';
import { minutes, seconds } from '../../workflows/operation/duration.ts';
import {
  drawPause,
  longestCallerWait,
  pauseAfter,
  scheduleOf,
  whileUndoing,
} from '../../workflows/operation/retry-schedule.ts';
import { retryFaults } from '../../workflows/operation/retry-faults.ts';

const interactive = scheduleOf('interactive', usualProtection.behindCaller);
const background = { firstPause: seconds(5), growth: 3, longestPause: minutes(1), jitter: { from: 0.5, to: 2 } };

describe('the schedule of retries', () => {
  it('where a person waits has three of 300 ms, 1 s and 2 s, and then none before 30 s are over', () => {
    expect(usualProtection.behindCaller).toBe(longestCallerWait);
    const bounds = [1, 2, 3, 4, 5, 6, 7].map((sends) => pauseAfter(sends, interactive));
    expect(bounds).toEqual([
      { least: 150, most: 450 },
      { least: 500, most: 1_500 },
      { least: 1_000, most: 3_000 },
      { least: 30_000, most: 45_000 },
      { least: 60_000, most: 90_000 },
      { least: 120_000, most: 180_000 },
      { least: 120_000, most: 180_000 },
    ]);
  });

  it('where nobody waits is the one that the flow declares', () => {
    expect(scheduleOf(background, 1)).toBe(background);
    expect([1, 2, 3, 4].map((sends) => pauseAfter(sends, background))).toEqual([
      { least: 2_500, most: 10_000 },
      { least: 7_500, most: 30_000 },
      { least: 22_500, most: 90_000 },
      { least: 30_000, most: 120_000 },
    ]);
  });

  it('draws each pause from the whole of its range', () => {
    expect([0, 0.5, 1].map((random) => drawPause(1, interactive, random))).toEqual([150, 300, 450]);
    expect([0, 0.5, 1].map((random) => drawPause(1, whileUndoing, random))).toEqual([500, 1_000, 1_500]);
  });

  it('belongs to each step that calls an outside system, and to no other', () => {
    const guards = new SystemGuards(systems);
    for (const flow of flows)
      for (const [name, { calls }] of Object.entries(flow.steps))
        expect([flow.name, name, guards.scheduleOf(flow, name) === undefined]).toEqual([
          flow.name,
          name,
          calls === undefined,
        ]);
  });
});

describe('a send', () => {
  const heldBack = (sends: number, since: number, asked = 0) => {
    try {
      expectTurn(interactive, { sends, since, asked });
    } catch (error) {
      if (error instanceof HeldBack) return error;
      throw error;
    }
    return undefined;
  };

  it('has its turn at once where it is the first, and else after the shortest pause', () => {
    expectTurn(interactive, { sends: 1, since: undefined, asked: 0 });
    for (const sends of [2, 3, 4, 5, 6]) {
      const { least, most } = pauseAfter(sends - 1, interactive);
      expect(heldBack(sends, least)).toBeUndefined();
      const { wait, message } = heldBack(sends, least - 1) ?? expect.unreachable();
      expect(wait).toBeGreaterThanOrEqual(1);
      expect(wait).toBeLessThanOrEqual(most - least + 2);
      expect(message).toMatch(/^It was sent (once|\d times) without a clear answer.*Nothing was sent\.$/);
    }
  });

  it('is held back for as long as the outside has asked for, and not for longer than five minutes', () => {
    expect(heldBack(2, 10_000, 40_000)?.wait).toBe(40_000);
    expect(heldBack(2, 10_000, -1)).toBeUndefined();
    expect(heldBack(2, 10_000, 86_400_000)?.wait).toBe(300_000);
  });

  it('waits for one pause where the clock was set back since the send before', () => {
    const { most } = pauseAfter(4, interactive);
    expect(heldBack(5, -660_000)?.wait).toBeLessThanOrEqual(most);
  });

  it('without a clear answer has the pause of its schedule, told to Temporal and to the story', () => {
    const failure = paced(new Doubtful('No answer came.'), interactive, 4) as {
      nextRetryDelay: number;
      details: number[];
      message: string;
    };
    expect(failure.message).toBe('No answer came.');
    expect(failure.nextRetryDelay).toBeGreaterThanOrEqual(30_000);
    expect(failure.nextRetryDelay).toBeLessThanOrEqual(45_000);
    expect(failure.details).toEqual([failure.nextRetryDelay]);
  });

  it('that was turned away waits for as long as the outside asks, but no shorter than its schedule says', () => {
    const wait = (asked: number | undefined) =>
      (paced(new Throttled('Later.', asked), interactive, 1) as Throttled).wait;
    expect(wait(5_000)).toBe(5_000);
    for (const asked of [undefined, 1]) expect(wait(asked)).toBeGreaterThanOrEqual(150);
  });

  it('that was not made, was refused, or met the ledger alone, is none of the schedule’s concern', () => {
    const others = [
      new Refused({ code: 'card-declined', detail: 'No.' }),
      new HeldBack('Later.', 5),
      new LedgerFault('unavailable', 'Gone.'),
    ];
    for (const error of others) expect(paced(error, interactive, 1)).toBe(error);
    const doubt = new Doubtful('No answer came.');
    expect(paced(doubt, undefined, 1)).toBe(doubt);
  });
});

describe('a flow', () => {
  const asking = { ask: { calls: 'payments' } } as never;
  const faults = (steps: never, retries: Parameters<typeof retryFaults>[2], patience = minutes(10)) =>
    retryFaults('demo', steps, retries, patience);

  it('that calls an outside system says how it tries again, and no other does', () => {
    expect(faults(asking, undefined)).toEqual([expect.stringContaining('(ask) and does not say how it tries again')]);
    expect(faults({} as never, 'interactive')).toEqual([expect.stringContaining('calls no outside system')]);
    for (const right of [faults(asking, 'interactive'), faults(asking, background), faults({} as never, undefined)])
      expect(right).toEqual([]);
  });

  it.each([
    [{ firstPause: 0 }, 'would press a system'],
    [{ growth: 0.5 }, 'would press a system'],
    [{ longestPause: 1 }, 'would press a system'],
    [{ jitter: { from: 0, to: 1 } }, 'all would come back at once'],
    [{ jitter: { from: 1, to: 1 } }, 'all would come back at once'],
    [{ firstPause: minutes(20), longestPause: minutes(20) }, 'patience of 10 minutes is over'],
  ])('is refused with the pauses %j', (changes, says) => {
    expect(faults(asking, { ...background, ...changes })).toEqual([expect.stringContaining(says)]);
  });
});
