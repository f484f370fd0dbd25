import { hours } from '../../workflows/operation/duration.ts';
import { drawPause, type RetrySchedule, whileDelivering } from '../../workflows/operation/retry-schedule.ts';
import { HeldBack } from '../stores/outcomes/held-back.ts';
import { Refused } from '../stores/outcomes/refused.ts';
import { Throttled } from '../stores/outcomes/throttled.ts';
import { LedgerFault } from '../stores/postgres/ledger-fault.ts';
import type { Delivered, Delivery } from '../stores/postgres/outbox/due-deliveries.ts';
import { isErased } from './is-erased.ts';
import type { Outlet } from './outlet.ts';
import type { Handing } from './sender.ts';

/** A message that a newer build told is left to it for so long. A deploy takes hours. */
const strangersPatience = hours(24);

/**
 * No message ends with its patience before so many tries, which take most of an hour: patience counts from when it was told, and a
 * message that waited for a mail server for days has met nothing yet.
 */
const fewestTries = 12;

/** The longest reason that is kept. Characters. */
const longestDetail = 1_000;

type DeliverParts = {
  readonly outlet: Outlet;
  /** Commits that the message is about to be handed over. False: another sender has it, and nothing is sent. */
  readonly begin: () => Promise<boolean>;
  /** Aborted when another sender has the message, and when this process is to stop. */
  readonly signal: AbortSignal;
  /** Between 0 and 1. */
  readonly random: number;
};

/** What has become of it; `taken-over`: another sender has it, and there is nothing to record. */
export type Outcome = Delivered | { readonly state: 'taken-over' };

class TakenOver extends Error {}

/**
 * Lets one message leave.
 * @throws LedgerFault where the ledger could not be asked: nothing was sent, and the lease ends by itself
 */
export async function deliver(delivery: Delivery, { outlet, begin, signal, random }: DeliverParts): Promise<Outcome> {
  const { message, mayHaveLeft, webhook } = delivery;
  if (isErased(message.payload) || webhook?.deleted === true) return { state: 'erased' };
  // Where an id is known for ever, a second arrival has no effect: there is nothing to doubt.
  const doubts = outlet.knowsIdsFor !== Number.POSITIVE_INFINITY;
  const doubtedBefore = doubts && mayHaveLeft !== undefined;
  const declared = outlet.declared(message.type);
  if (declared === undefined)
    return later(
      delivery,
      { patience: strangersPatience, random },
      {
        ...{ code: 'handler-failed', doubted: doubtedBefore },
        detail: `This build sends no ${message.type}: a newer one told it.`,
      },
    );
  const once = declared.repeats === 'at_most_once';
  // The system that still knows the id takes it once, however often it is sent.
  const known = mayHaveLeft?.by === outlet.place && mayHaveLeft.ago < outlet.knowsIdsFor;
  if (doubtedBefore && once && !known)
    return inDoubt('Its sender died while it was handing it over, or got no clear answer.');
  let handedOver = false;
  const handOver = async (): Promise<void> => {
    if (!(await begin())) throw new TakenOver();
    signal.throwIfAborted();
    handedOver = true;
  };
  try {
    const send = outlet.write(message, webhook);
    // Never a retry for the budget: each message has growing pauses of its own, and what an outage has left may leave at once.
    const call = { kind: 'first', timeout: outlet.longestSend, signal } as const;
    return await outlet.guard(call, async (limited) => await sent(send, { handOver, signal: limited }));
  } catch (error) {
    if (error instanceof LedgerFault) throw error;
    const code = 'delivery-failed';
    const why = error instanceof Error ? error.message : String(error);
    if (error instanceof Refused) return refused(error.refusal, doubtedBefore);
    const untried = { state: 'due', code, detail: cut(why), doubted: doubtedBefore, heldBack: true } as const;
    const isOver = outlet.endsWithPatience === true && delivery.dueFor >= declared.patience;
    if (error instanceof HeldBack && !isOver) return { ...untried, pause: error.wait };
    if (signal.aborted && !handedOver) return { ...untried, pause: 0 };
    // A clear no says that this try has not left, and nothing of an earlier one.
    const doubtedNow = doubts && handedOver && !(error instanceof Throttled);
    if (doubtedNow && once && outlet.knowsIdsFor === 0) return inDoubt(why);
    const asked = error instanceof Throttled ? error.wait : undefined;
    const met = { code, detail: why, doubted: doubtedBefore || doubtedNow };
    const { schedule, endsWithPatience } = outlet;
    const terms = { patience: declared.patience, random, schedule, fewest: endsWithPatience ? 0 : fewestTries };
    const became = later(delivery, terms, met, asked);
    return became.state === 'failed' && error instanceof HeldBack ? { ...became, heldBack: true } : became;
  }
}

/** That another sender has it says nothing about the system. */
async function sent(send: (handing: Handing) => Promise<void>, handing: Handing): Promise<Outcome> {
  try {
    await send(handing);
    return { state: 'sent' };
  } catch (error) {
    if (error instanceof TakenOver) return { state: 'taken-over' };
    throw error;
  }
}

type Met = { readonly code: string; readonly detail: string; readonly doubted: boolean };

type Terms = {
  readonly patience: number;
  readonly random: number;
  readonly schedule?: RetrySchedule | undefined;
  readonly fewest?: number;
};

function later(
  { tries, dueFor }: Delivery,
  { patience, random, schedule = whileDelivering, fewest = fewestTries }: Terms,
  { code, detail, doubted }: Met,
  asked = 0,
): Outcome {
  const said = cut(detail);
  if (dueFor >= patience && tries >= fewest)
    return doubted ? inDoubt(said) : { state: 'failed', code, detail: said, doubted };
  const pause = Math.max(asked, drawPause(tries, schedule, random));
  return { state: 'due', code, detail: said, doubted, pause, heldBack: false };
}

/** It is no clear no to an earlier try. */
function refused({ code, detail }: Refused['refusal'], doubted: boolean): Outcome {
  const said = doubted ? `${detail} An earlier try may have left: see whether it arrived.` : detail;
  return { state: 'failed', code, detail: cut(said), doubted };
}

function inDoubt(why: string): Outcome {
  const detail = `It may have left: see whether it arrived before you replay it. ${why}`;
  return { state: 'failed', code: 'delivery-in-doubt', detail: cut(detail), doubted: true };
}

/** What a mail server or a provider says may hold anything. */
function cut(text: string): string {
  return text.replaceAll('\0', '').slice(0, longestDetail);
}
