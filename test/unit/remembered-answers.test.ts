import { setTimeout as pause } from 'node:timers/promises';
import { describe, expect, it, vi } from 'vitest';
import { asked } from '../../client/gateway/asked.ts';
import { RememberedAnswers } from '../../client/gateway/remembered-answers.ts';
import type { KeptAnswer } from '../../client/gateway/reply.ts';
import { checkoutFlow } from '../../workflows/checkout.flow.ts';

const request = checkoutFlow.request.parse({
  cartId: 'a cart',
  items: [{ sku: 'mug-blue', quantity: 1 }],
  paymentMethod: 'pm_card_visa',
});
const asking = (key = 'a-key-of-the-unit') =>
  asked(checkoutFlow, { tenant: 'alpha', environment: 'test', subject: 'someone', key, request });
const answer: KeptAnswer = {
  kind: 'kept',
  status: 201,
  headers: {},
  body: Buffer.from('{}'),
  expiresAt: new Date(Date.now() + 3_600_000),
  expiresIn: 3_600_000,
  flowVersion: checkoutFlow.version,
};
const rowOf = (id: string) => ({ id, generation: 1, renewable: false, requestId: 'r', workflowId: 'w' }) as never;

function kept(answers: RememberedAnswers, id: string, key?: string): void {
  const request = asking(key);
  answers.find(request);
  answers.keep(request, rowOf(id), answer, 'succeeded');
}

describe('an answer in memory', () => {
  it('is given again until it is erased, and the others stay', () => {
    const answers = new RememberedAnswers(() => true);
    kept(answers, 'op_1', 'one');
    kept(answers, 'op_2', 'two');
    expect(answers.find(asking('one'))).toMatchObject({ same: true, replay: { id: 'op_1' } });
    answers.forget(['op_1', 'op_unknown']);
    expect(answers.find(asking('one'))).toBeUndefined();
    expect(answers.find(asking('two'))).toMatchObject({ replay: { id: 'op_2' } });
    // It may be kept again, under the same id.
    kept(answers, 'op_1', 'one');
    answers.forget(['op_1']);
    expect(answers.find(asking('one'))).toBeUndefined();
  });

  it('goes with all others where nobody can tell which were erased', () => {
    const answers = new RememberedAnswers(() => true);
    kept(answers, 'op_1', 'one');
    kept(answers, 'op_2', 'two');
    answers.forget(undefined);
    for (const key of ['one', 'two']) expect(answers.find(asking(key))).toBeUndefined();
  });

  it('is not kept where it was read before something was erased: it may be what was erased', () => {
    const answers = new RememberedAnswers(() => true);
    const slow = asking();
    answers.find(slow);
    answers.forget(['op_1']);
    answers.keep(slow, rowOf('op_1'), answer, 'succeeded');
    expect(answers.find(asking())).toBeUndefined();
  });

  it.each([
    [true, 30_000],
    [false, 700],
  ])('is kept for less than a second while erasures are not told: told %s', async (told, age) => {
    const clock = vi.spyOn(performance, 'now');
    // The cache reads the clock anew only after its own 50 ms.
    const at = async (time: number): Promise<void> => {
      clock.mockReturnValue(1_000_000 + time);
      await pause(100);
    };
    try {
      await at(0);
      const answers = new RememberedAnswers(() => told);
      kept(answers, 'op_1');
      await at(age);
      expect(answers.find(asking())).toMatchObject({ same: true });
      await at(told ? 61_000 : 1_000);
      expect(answers.find(asking())).toBeUndefined();
    } finally {
      clock.mockRestore();
    }
  });
});
