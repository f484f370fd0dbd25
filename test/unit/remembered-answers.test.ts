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
const foundOf = (id: string, epoch: number) =>
  ({ id, generation: 1, renewable: false, requestId: 'r', workflowId: 'w', from: 'ledger', epoch }) as never;

/** Answers in memory, and the epoch that this process knows. */
function memory() {
  const epoch = { now: 1, isFresh: true };
  return { answers: new RememberedAnswers({ epoch }), epoch };
}

function kept({ answers, epoch }: ReturnType<typeof memory>, id: string, key?: string): void {
  answers.keep(asking(key), foundOf(id, epoch.now), answer, 'succeeded');
}

describe('an answer in memory', () => {
  it('is given again until something is erased', () => {
    const all = memory();
    kept(all, 'op_1', 'one');
    kept(all, 'op_2', 'two');
    expect(all.answers.find(asking('one'))).toMatchObject({ same: true, replay: { id: 'op_1' } });
    all.epoch.now += 1;
    // One epoch serves the whole ledger: what was not erased is asked for once more.
    for (const key of ['one', 'two']) expect(all.answers.find(asking(key))).toBeUndefined();
    // It may be kept again, under the same id.
    kept(all, 'op_1', 'one');
    expect(all.answers.find(asking('one'))).toMatchObject({ replay: { id: 'op_1' } });
    all.epoch.now += 1;
    expect(all.answers.find(asking('one'))).toBeUndefined();
  });

  it('is not given where it was read before something was erased: it may be what was erased', () => {
    const { answers, epoch } = memory();
    const before = epoch.now;
    epoch.now += 1;
    answers.keep(asking(), foundOf('op_1', before), answer, 'succeeded');
    expect(answers.find(asking())).toBeUndefined();
  });

  it('is not given while nobody knows whether something was erased, and is again from then on', () => {
    const all = memory();
    kept(all, 'op_1');
    all.epoch.isFresh = false;
    expect(all.answers.find(asking())).toBeUndefined();
    all.epoch.isFresh = true;
    expect(all.answers.find(asking())).toMatchObject({ same: true });
  });

  it('is kept for a minute', async () => {
    const clock = vi.spyOn(performance, 'now');
    // The cache reads the clock anew only after its own 50 ms.
    const at = async (time: number): Promise<void> => {
      clock.mockReturnValue(1_000_000 + time);
      await pause(100);
    };
    try {
      await at(0);
      const all = memory();
      kept(all, 'op_1');
      await at(30_000);
      expect(all.answers.find(asking())).toMatchObject({ same: true });
      await at(61_000);
      expect(all.answers.find(asking())).toBeUndefined();
    } finally {
      clock.mockRestore();
    }
  });
});
