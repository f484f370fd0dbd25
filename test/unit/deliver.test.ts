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
  mayHaveLeft: undefined,
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
  readonly signal?: AbortSignal;
};

const place = 'https://provider.test/mail';

/** Lets a message leave by a system that does what a test says. */
async function delivered(send: (handing: Handing) => Promise<void>, given: Case = {}) {
  const { repeats = 'at_least_once', knowsIdsFor = 0, type = 'a', begins = true, ...others } = given;
  const { signal = new AbortController().signal, ...rest } = others;
  const outlet: Outlet = {
    called: 'the mail server',
    place,
    knowsIdsFor,
    longestSend: seconds(1),
    guard: async (call, make) => await make(call.signal),
    declared: (asked) => (asked === 'a' ? { repeats, patience: days(3) } : undefined),
    write: () => send,
  };
  return await deliver(
    { ...delivery, ...rest, message: { ...delivery.message, type } },
    { outlet, begin: async () => begins, signal, random: 0.5 },
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
      ...{ state: 'failed', code: 'message-refused', detail: 'No such mailbox', doubted: false },
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

  it('that was stopped before it was handed over was no try either, and is due at once', async () => {
    const stop = new AbortController();
    const send = async ({ handOver, signal }: Handing) => {
      stop.abort(new Error('to stop'));
      signal.throwIfAborted();
      await handOver();
    };
    const untried = { state: 'due', pause: 0, heldBack: true, doubted: false };
    expect(await delivered(send, { signal: stop.signal })).toMatchObject(untried);
    // The mark was under way when it was stopped: a mail that was held back there has not left.
    expect(await delivered(taken, { signal: AbortSignal.abort(), repeats: 'at_most_once' })).toMatchObject(untried);
  });

  it('waits for a person when its patience is over', async () => {
    const gone = { dueFor: days(3), tries: 12 };
    expect(await delivered(throwing(new Error('connection refused')), gone)).toEqual({
      ...{ state: 'failed', code: 'delivery-failed', detail: 'connection refused', doubted: false },
    });
  });

  it('that has waited for a mail server longer than its patience is tried a dozen times all the same', async () => {
    const greylisted = throwing(new Throttled('451', undefined));
    for (const tries of [1, 11])
      expect(await delivered(greylisted, { dueFor: days(4), tries })).toMatchObject({ state: 'due' });
    expect(await delivered(greylisted, { dueFor: days(4), tries: 12 })).toMatchObject({ state: 'failed' });
  });

  it('that only a newer build can write is left to it for a day', async () => {
    expect(await delivered(taken, { type: 'b', dueFor: hours(23) })).toMatchObject({
      state: 'due',
      code: 'handler-failed',
    });
    expect(await delivered(taken, { type: 'b', dueFor: hours(24), tries: 12 })).toMatchObject({ state: 'failed' });
  });

  it('is left as it is where the ledger does not answer: the lease ends by itself', async () => {
    const away = new LedgerFault('unavailable', 'away');
    await expect(delivered(throwing(away))).rejects.toBe(away);
  });
});

describe('a message that may have left', () => {
  const doubt = new Doubtful('The connection broke');

  it.each([
    ['its sender died', taken, { mayHaveLeft: { by: place, ago: seconds(15) } }],
    ['the answer was lost', throwingLate(doubt), {}],
  ] as const)('is sent once at most, where it is declared so: %s', async (_, send, given) => {
    const became = await delivered(send, { repeats: 'at_most_once', ...given });
    expect(became).toMatchObject({ state: 'failed', code: 'delivery-in-doubt' });
  });

  it('is sent again, where it is declared so', async () => {
    expect(await delivered(taken, { mayHaveLeft: { by: place, ago: seconds(15) } })).toEqual({ state: 'sent' });
    expect(await delivered(throwingLate(doubt))).toMatchObject({ state: 'due', doubted: true });
  });

  it('is sent again where the system knows its id, and only as long as it does', async () => {
    const once = { repeats: 'at_most_once', knowsIdsFor: hours(23) } as const;
    const after = (ago: number, by = place) => delivered(taken, { ...once, mayHaveLeft: { by, ago } });
    expect(await after(hours(22))).toEqual({ state: 'sent' });
    expect(await after(hours(23))).toMatchObject({ code: 'delivery-in-doubt', doubted: true });
    // Another system never saw the id.
    expect(await after(seconds(1), 'smtp:mail.test')).toMatchObject({ code: 'delivery-in-doubt', doubted: true });
    // What waited for a day before it was handed over is known from then on.
    expect(await delivered(throwingLate(doubt), { ...once, dueFor: hours(25) })).toMatchObject({
      ...{ state: 'due', doubted: true },
    });
  });

  it.each([
    ['the system says not now', throwing(new Throttled('not now', undefined)), {}],
    ['our own protection holds it back', throwing(new HeldBack('left alone', 700)), {}],
    ['it is stopped', taken, { signal: AbortSignal.abort() }],
    ['this build has no template', taken, { type: 'b' }],
    ['the connection is refused', throwing(new Error('connection refused')), {}],
  ] as const)('stays one, whatever its later tries meet: %s', async (_, send, given) => {
    const before = { knowsIdsFor: hours(23), mayHaveLeft: { by: place, ago: hours(1) } };
    expect(await delivered(send, { repeats: 'at_most_once', ...before, ...given })).toMatchObject({
      state: 'due',
      doubted: true,
    });
  });

  it('is told to whoever replays it as one that may have left, also when its patience ends or a later try is refused', async () => {
    const before = { mayHaveLeft: { by: place, ago: days(2) }, dueFor: days(3), tries: 40 };
    expect(await delivered(throwing(new Error('connection refused')), before)).toMatchObject({
      ...{ state: 'failed', code: 'delivery-in-doubt', detail: expect.stringContaining('connection refused') },
    });
    expect(await delivered(throwing(refusal), before)).toMatchObject({
      ...{ state: 'failed', code: 'message-refused', detail: expect.stringContaining('may have left'), doubted: true },
    });
  });

  it('is not one that was never handed over, or that the system has turned away', async () => {
    const once = { repeats: 'at_most_once' } as const;
    const clear = { state: 'due', doubted: false };
    expect(await delivered(throwing(doubt), once)).toMatchObject(clear);
    expect(await delivered(throwingLate(new Throttled('not now', undefined)), once)).toMatchObject(clear);
  });
});
