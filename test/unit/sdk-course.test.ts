import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { ActionState } from '../../sdk/action-state.ts';
import { isEnd } from '../../sdk/action-state.ts';
import { asksOf } from '../../sdk/asks-of.ts';
import { advance, begun, type Course, type CourseEvent, takenUp } from '../../sdk/course.ts';
import { stateOfOperation } from '../../sdk/operation-view.ts';
import { readProblem } from '../../sdk/problem.ts';
import { retryPause } from '../../sdk/retry-pause.ts';
import { english, wordsFor } from '../../sdk/words.ts';
import { readText } from '../repository/source-files.ts';
import { flows } from '../../workflows/flows.ts';
import { problem } from '../../workflows/operation/answer.ts';
import { failureCodes } from '../../workflows/operation/failures.ts';
import { operationStates } from '../../workflows/operation/state.ts';

const moment = { now: 0, random: 0.5 };
const id = 'op_00000000000000000000000000';
const told = failureCodes(flows).map((code) =>
  problem({ code, detail: 'Because.' }, { requestId: 'req_1', operation: id }),
);

const views = operationStates.map((state) => ({
  ...{ id, state },
  ...(state === 'succeeded' ? { result: { order: 'ord_1' } } : {}),
  ...(state === 'refused' ? { problem: told[0] ?? expect.unreachable() } : {}),
}));

const events: fc.Arbitrary<CourseEvent> = fc.oneof(
  fc.record({ type: fc.constant('shown' as const), view: fc.constantFrom(...views) }),
  fc.record({ type: fc.constant('answered' as const), problem: fc.constantFrom(...told) }),
  fc.record({ type: fc.constant('lost' as const), retryAfter: fc.constantFrom(0, 1_000, 10_000) }),
  fc.constantFrom<CourseEvent>(
    { type: 'missing' },
    { type: 'withheld', expired: true },
    { type: 'gone' },
    { type: 'pauseOver' },
    { type: 'slow' },
  ),
);
const begins = fc.constantFrom(
  begun('act_1'),
  ...(['retry', 'send', 'stop'] as const).flatMap((ifMissing) => [0, 2, 3].map((n) => takenUp('act_1', n, ifMissing))),
);

describe('the course of an action', () => {
  it('keeps its key, retries three times at most, leaves no end, and sends nothing without its input', () => {
    fc.assert(
      fc.property(begins, fc.array(events, { maxLength: 40 }), (begin, happened) => {
        let course: Course = begin;
        let sends = course.state.status === 'submitting' ? 1 : 0;
        for (const event of happened) {
          const after = advance(course, event, moment);
          expect(after.state.status === 'idle' ? '' : after.state.key).toBe('act_1');
          if (isEnd(course.state)) expect(after).toBe(course);
          if (after.state.status === 'submitting' && course.state.status !== 'submitting') sends += 1;
          course = after;
        }
        expect(course.retries).toBeLessThanOrEqual(3);
        const clicked = begin.state.status === 'submitting' || begin.ifMissing === 'send' ? 1 : 0;
        expect(sends).toBeLessThanOrEqual(3 - begin.retries + clicked);
        if (begin.ifMissing === 'stop') expect(sends).toBe(0);
      }),
      { numRuns: 3_000 },
    );
  });

  it('asks what has become of a lost request before it sends another', () => {
    const lost = advance(begun('act_1'), { type: 'lost' }, moment);
    expect(lost.state).toMatchObject({ status: 'confirming' });
    const pausing = advance(lost, { type: 'missing' }, moment);
    expect(pausing.state).toEqual({ status: 'retrying', key: 'act_1', at: 300, retry: 1 });
    expect(advance(pausing, { type: 'pauseOver' }, moment).state).toMatchObject({ status: 'submitting' });
    const asking = advance(lost, { type: 'lost' }, moment);
    expect(advance(asking, { type: 'pauseOver' }, moment).state).toMatchObject({ status: 'confirming' });
  });

  it.each(told.map((one) => [one.code, one] as const))(
    'tries %s again exactly where its problem allows it',
    (_, one) => {
      const { state } = advance(begun('act_1'), { type: 'answered', problem: one }, moment);
      expect(state.status === 'retrying').toBe(one.retryable && one.sameKeySafe && (one.retryAfter ?? 0) <= 5);
      if (state.status === 'refused') expect([one.retryable, state.action]).toEqual([false, one.action]);
      if (state.status === 'failed')
        expect([state.retryable, state.sameKeySafe]).toEqual([one.retryable, one.sameKeySafe]);
      expect(readProblem(one)).toBe(one);
    },
  );

  it('looks at an operation that a problem says is still open', () => {
    const code = 'in-progress';
    const open = problem(
      { code, detail: 'It goes on.', more: { state: 'running' } },
      { requestId: 'req_1', operation: id },
    );
    const { state } = advance(begun('act_1'), { type: 'answered', problem: open }, moment);
    expect(state).toMatchObject({ status: 'waiting', operation: id });
    const doubt = problem(
      { code, detail: 'It goes on.', more: { state: 'indeterminate' } },
      { requestId: 'req_1', operation: id },
    );
    expect(advance(begun('act_1'), { type: 'answered', problem: doubt }, moment).state).toMatchObject({
      ...{ status: 'unknown', reconciling: true, operation: id },
    });
  });
});

describe('what is shown of an operation', () => {
  it('names the step that is under way, and how far it has come', () => {
    const steps = ['done', 'skipped', 'sent', 'planned'].map((state, n) => ({ name: `step${n}`, state }));
    expect(stateOfOperation('act_1', { id, state: 'running', steps })).toMatchObject({
      ...{ status: 'waiting', step: 'step2', progress: { done: 2, of: 4 }, undoing: false, slow: false },
    });
    expect(stateOfOperation('act_1', { id, state: 'compensating', steps })).toMatchObject({ undoing: true });
  });

  it('says what the person has to do', () => {
    const waiting = {
      id,
      state: 'waiting',
      awaits: 'authenticate',
      next: 'Confirm it.',
      expiresAt: '2026-01-01T00:00:00Z',
    } as const;
    expect(stateOfOperation('act_1', waiting)).toMatchObject({
      status: 'needs_action',
      kind: 'authenticate',
      url: undefined,
    });
    const redirect = { ...waiting, nextAction: { type: 'redirect', url: 'https://bank.test' } };
    expect(stateOfOperation('act_1', redirect)).toMatchObject({
      kind: 'redirect',
      url: 'https://bank.test',
      next: 'Confirm it.',
    });
  });

  it('is a failure where it ended badly and its answer is not kept', () => {
    expect(stateOfOperation('act_1', { id, state: 'cancelled' })).toMatchObject({ status: 'failed', retryable: false });
  });
});

describe('the retries of a thousand clients that fail together', () => {
  // Each bucket is a tenth of the range from the first to the last.
  it.each([
    [0, 0, 150, 450],
    [1, 0, 500, 1_500],
    [2, 0, 1_000, 3_000],
    [0, 2_000, 2_000, 2_300],
  ])('are spread: number %i, after a Retry-After of %i ms', (retries, asked, least, most) => {
    const pauses = Array.from(
      { length: 1_000 },
      () => retryPause(retries, asked, Math.random()) ?? expect.unreachable(),
    );
    expect(Math.min(...pauses)).toBeGreaterThanOrEqual(least);
    expect(Math.max(...pauses)).toBeLessThanOrEqual(most + 1);
    const buckets = new Map<number, number>();
    for (const pause of pauses) {
      const bucket = Math.min(9, Math.floor(((pause - least) / (most - least)) * 10));
      buckets.set(bucket, (buckets.get(bucket) ?? 0) + 1);
    }
    // A hundred are expected in each. Sixty more or less is more than six standard deviations.
    expect(buckets.size).toBe(10);
    for (const count of buckets.values()) expect(Math.abs(count - 100)).toBeLessThan(60);
  });

  it('end after three, and at a Retry-After of more than five seconds', () => {
    expect(retryPause(3, 0, 0.5)).toBeUndefined();
    expect(retryPause(0, 5_001, 0.5)).toBeUndefined();
    expect(retryPause(0, 5_000, 0.5)).toBeGreaterThanOrEqual(5_000);
  });
});

describe('the words', () => {
  const key = 'act_1';
  const one = told[0] ?? expect.unreachable();
  const refused = (action: (typeof one)['action']) =>
    ({ status: 'refused', key, action, sameKeySafe: false, problem: one }) as const;
  const failed = { status: 'failed', key, sameKeySafe: true, problem: undefined } as const;
  const waiting = {
    status: 'waiting',
    key,
    operation: id,
    step: undefined,
    progress: { done: 0, of: 0 },
    undoing: false,
    slow: false,
  } as const;
  const needed = {
    status: 'needs_action',
    key,
    operation: id,
    kind: 'redirect',
    next: '',
    expiresAt: undefined,
  } as const;
  const table: readonly (readonly [ActionState, keyof typeof english, ReturnType<typeof asksOf>])[] = [
    [{ status: 'idle' }, 'idle', 'nothing'],
    [{ status: 'submitting', key, slow: false }, 'submitting', 'wait'],
    [{ status: 'submitting', key, slow: true }, 'submittingSlow', 'wait'],
    [{ status: 'confirming', key, slow: false }, 'confirming', 'wait'],
    [{ status: 'confirming', key, slow: true }, 'confirmingSlow', 'wait'],
    [{ status: 'retrying', key, at: 0, retry: 1 }, 'retrying', 'wait'],
    [waiting, 'waiting', 'wait'],
    [{ ...waiting, slow: true }, 'waitingSlow', 'wait'],
    [{ ...waiting, undoing: true }, 'undoing', 'wait'],
    [{ ...needed, url: 'https://bank.test' }, 'redirect', 'act'],
    [{ ...needed, url: undefined }, 'needsAction', 'act'],
    [{ status: 'done', key, operation: id, result: undefined }, 'done', 'nothing'],
    [refused('change_payment_method'), 'changePaymentMethod', 'change'],
    [refused('fix_request'), 'fixRequest', 'change'],
    [refused('contact_support'), 'contactSupport', 'contact'],
    [{ ...failed, retryable: true }, 'failed', 'retry'],
    [{ ...failed, retryable: false }, 'failedForGood', 'contact'],
    [{ status: 'unknown', key, operation: id, reconciling: true }, 'reconciling', 'wait'],
    [{ status: 'unknown', key, operation: undefined, reconciling: false }, 'unknown', 'retry'],
  ];

  it.each(table)('of %o are those of %s, and ask the person to %s', (state, word, asks) => {
    expect([wordsFor(state), asksOf(state)]).toEqual([english[word], asks]);
    expect(wordsFor(state, { ...english, [word]: 'Anders.' })).toBe('Anders.');
  });

  it('stand in the documents', () => {
    const document = readText('docs/client.md');
    expect(Object.values(english).filter((text) => !document.includes(text))).toEqual([]);
  });

  it('are there for each state, and none is left over', () => {
    expect(new Set(table.map(([, word]) => word))).toEqual(new Set(Object.keys(english)));
  });
});
