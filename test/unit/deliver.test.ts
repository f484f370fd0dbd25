import { describe, expect, it } from 'vitest';
import { deliver } from '../../activities/delivery/deliver.ts';
import type { Outlet } from '../../activities/delivery/outlet.ts';
import type { Handing } from '../../activities/delivery/sender.ts';
import { Doubtful } from '../../activities/stores/outcomes/doubtful.ts';
import { HeldBack } from '../../activities/stores/outcomes/held-back.ts';
import { Refused } from '../../activities/stores/outcomes/refused.ts';
import { Throttled } from '../../activities/stores/outcomes/throttled.ts';
import { LedgerFault } from '../../activities/stores/postgres/ledger-fault.ts';
import type { Delivery } from '../../activities/stores/postgres/outbox/due-deliveries.ts';
import { days, hours, minutes, seconds } from '../../workflows/operation/duration.ts';

const delivery: Delivery = {
  id: 'dl_1',
  fence: 1n,
  inDoubt: false,
  tries: 1,
  dueFor: 0,
  message: {
    ...{ id: 'msg_1', tenant: 'alpha', environment: 'test', channel: 'mail', about: 'ord_1', operation: 'op_1' },
    ...{ type: 'a', payload: {}, occurredAt: new Date(0) },
  },
};

type Case = Partial<Omit<Delivery, 'message'>> & {
  readonly repeats?: 'at_least_once' | 'at_most_once';
  readonly knowsIdsFor?: number;
  readonly type?: string;
  readonly begins?: boolean;
};

/** Lets a message leave by a system that does what a test says. */
async function delivered(send: (handing: Handing) => Promise<void>, given: Case = {}) {
  const { repeats = 'at_least_once', knowsIdsFor = 0, type = 'a', begins = true, ...rest } = given;
  const outlet: Outlet = {
    called: 'the mail server',
    knowsIdsFor,
    longestSend: seconds(1),
    guard: async ({ signal }, make) => await make(signal),
    declared: (asked) => (asked === 'a' ? { repeats, patience: days(3) } : undefined),
    write: () => send,
  };
  return await deliver(
    { ...delivery, ...rest, message: { ...delivery.message, type } },
    { outlet, begin: async () => begins, signal: new AbortController().signal, random: 0.5 },
  );
}

const taken = async ({ handOver }: Handing) => await handOver();
const throwing = (error: Error) => async () => {
  throw error;
};
const throwingLate = (error: Error) => async (handing: Handing) => {
  await taken(handing);
  throw error;
};
const refusal = new Refused({ code: 'message-refused', detail: 'No such mailbox' });

describe('a message', () => {
  it('that the system has taken is sent', async () => {
    expect(await delivered(taken)).toEqual({ state: 'sent' });
  });

  it('that another sender has is neither sent nor written', async () => {
    let after = false;
    const send = async (handing: Handing) => {
      await taken(handing);
      after = true;
    };
    expect(await delivered(send, { begins: false })).toEqual({ state: 'taken-over' });
    expect(after).toBe(false);
  });

  it('that the system refuses waits for a person at once', async () => {
    expect(await delivered(throwing(refusal))).toEqual({
      ...{ state: 'failed', code: 'message-refused', detail: 'No such mailbox' },
    });
  });

  it.each([
    [1, seconds(2)],
    [2, seconds(4)],
    [5, seconds(32)],
    [30, minutes(15)],
  ])('is tried again after growing pauses: after try %i in %i ms', async (tries, pause) => {
    expect(await delivered(throwing(new Error('connection refused')), { tries })).toMatchObject({
      ...{ state: 'due', code: 'delivery-failed', detail: 'connection refused', pause, heldBack: false },
    });
  });

  it('is not tried earlier than the system asks', async () => {
    const asked = new Throttled('wait', minutes(4));
    expect(await delivered(throwing(asked))).toMatchObject({ state: 'due', pause: minutes(4) });
  });

  it('that our own protection has held back was no try', async () => {
    expect(await delivered(throwing(new HeldBack('left alone', 700)))).toMatchObject({
      ...{ state: 'due', pause: 700, heldBack: true },
    });
  });

  it('waits for a person when its patience is over', async () => {
    const gone = { dueFor: days(3) };
    expect(await delivered(throwing(new Error('connection refused')), gone)).toEqual({
      ...{ state: 'failed', code: 'delivery-failed', detail: 'connection refused' },
    });
  });

  it('that only a newer build can write is left to it for a day', async () => {
    expect(await delivered(taken, { type: 'b', dueFor: hours(23) })).toMatchObject({
      state: 'due',
      code: 'handler-failed',
    });
    expect(await delivered(taken, { type: 'b', dueFor: hours(24) })).toMatchObject({ state: 'failed' });
  });

  it('is left as it is where the ledger does not answer: the lease ends by itself', async () => {
    const away = new LedgerFault('unavailable', 'away');
    await expect(delivered(throwing(away))).rejects.toBe(away);
  });
});

describe('a message that may have left', () => {
  const doubt = new Doubtful('The connection broke');

  it.each([
    ['its sender died', taken, { inDoubt: true }],
    ['the answer was lost', throwingLate(doubt), {}],
  ] as const)('is sent once at most, where it is declared so: %s', async (_, send, given) => {
    const became = await delivered(send, { repeats: 'at_most_once', ...given });
    expect(became).toMatchObject({ state: 'failed', code: 'delivery-in-doubt' });
  });

  it('is sent again, where it is declared so', async () => {
    expect(await delivered(taken, { inDoubt: true })).toEqual({ state: 'sent' });
    expect(await delivered(throwingLate(doubt))).toMatchObject({ state: 'due' });
  });

  it('is sent again where the system knows its id, and only as long as it does', async () => {
    const once = { repeats: 'at_most_once', inDoubt: true, knowsIdsFor: hours(23) } as const;
    expect(await delivered(taken, { ...once, dueFor: hours(22) })).toEqual({ state: 'sent' });
    expect(await delivered(taken, { ...once, dueFor: hours(23) })).toMatchObject({ code: 'delivery-in-doubt' });
  });

  it('is not one that was never handed over, or that the system has turned away', async () => {
    const once = { repeats: 'at_most_once' } as const;
    expect(await delivered(throwing(doubt), once)).toMatchObject({ state: 'due' });
    expect(await delivered(throwingLate(new Throttled('not now', undefined)), once)).toMatchObject({ state: 'due' });
  });
});
