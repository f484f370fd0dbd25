import {
  ApplicationFailure,
  condition,
  defineSignal,
  proxyLocalActivities,
  setCurrentDetails,
  upsertSearchAttributes,
} from '@temporalio/workflow';
import type { Finished, Hold, LedgerMoves } from '../operation/call.ts';
import type { AnyFlow, RequestOf } from '../operation/flow.ts';
import type { Refusal } from '../operation/outcome.ts';
import { ledgerWrite } from '../operation/presets.ts';
import { causeOf } from './thrown.ts';

/** The ledger has news that the story waits for, such as bytes. It carries nothing itself: the row is the truth. */
export const wakeSignal = defineSignal('wake');

/** A cancel was asked for and stands in the ledger. */
export const cancelRequestedSignal = defineSignal('cancelRequested');

/** A person has said something of the step that makes no progress; its next try decides about it. */
export const resolvedSignal = defineSignal('resolved');

export const ledger = proxyLocalActivities<LedgerMoves>(ledgerWrite);

/** What each step takes and gives; the activities declare theirs, stories import it by type. */
export type StepSignatures = Readonly<Record<string, { readonly input: unknown; readonly result: unknown }>>;

/** What a story holds while it runs. Stories read `request`, `deadline` and `id`; the rest is the engine's. */
export type Story<F extends AnyFlow = AnyFlow, S extends StepSignatures = StepSignatures> = {
  readonly flow: F;
  readonly id: string;
  readonly request: RequestOf<F>;
  readonly deadline: number | null;
  readonly engine: Engine;
  /** Never set: ties the steps' signatures to the story's type. */
  readonly signatures?: S;
};

export type Engine = {
  readonly hold: Hold;
  /** The run that is to take the operation over with its first step; undefined once that was answered. */
  opens: string | undefined;
  readonly requestId: string;
  readonly done: Readonly<Record<string, unknown>>;
  /** The position of the last step that the story has asked for; -1 before the first. */
  reached: number;
  /** When patience ends. Milliseconds since 1970, by the workflow's clock. */
  until: number;
  /** An uncancellable step may have been sent: patience does not count any more. */
  forward: boolean;
  carry: readonly Finished[];
  /** The step that people are shown as waiting or failing. */
  troubled: string | undefined;
  wakes: number;
  /** Cancels the step that is being retried, if it may be. */
  interrupt: (() => void) | undefined;
  /** Has the step that is being retried tried at once. */
  retry: (() => void) | undefined;
};

/** The first step has not taken the operation over: that is then a move of its own, and the story is told from its start. */
export class NotOpened extends Error {
  override readonly name = 'NotOpened';
}

/** A run before this one may have tried its steps. */
export function isTakenOver({ hold }: Engine): boolean {
  return hold.fence > 1;
}

/** The right to write, for a move that cannot take the operation over by itself. @throws NotOpened while nobody has */
export function held({ engine }: Story): Hold {
  if (engine.opens !== undefined) throw new NotOpened();
  return engine.hold;
}

/** @returns the refusal that a step has thrown, or undefined for any other failure */
export function refusalOf(error: unknown): Refusal | undefined {
  const cause = causeOf(error);
  if (!(cause instanceof ApplicationFailure) || cause.type !== 'refused') return undefined;
  return cause.details?.[0] as Refusal;
}

/** A story's own refusal, such as an expiry, which ends it like a step's. */
export function refuse(refusal: Refusal): ApplicationFailure {
  return ApplicationFailure.create({
    message: refusal.detail,
    type: 'refused',
    nonRetryable: true,
    details: [refusal],
  });
}

/**
 * Waits for news from the ledger, at most until `timeout` milliseconds have passed.
 * @param seen `engine.wakes` as it was before the ledger was last asked, so that news during the asking is not lost
 */
export async function news(story: Story, seen: number, timeout: number): Promise<void> {
  await condition(() => story.engine.wakes > seen, Math.max(1, timeout));
}

/**
 * Shows people what is going on. Details are free; the search attribute costs an event, so that it names a step only while
 * one waits or fails, and is cleared with what comes next.
 */
export function tellPeople({ engine }: Story, details: string, troubled?: { readonly step: string }): void {
  setCurrentDetails(details);
  if (engine.troubled === troubled?.step) return;
  upsertSearchAttributes({ HapaxStep: troubled === undefined ? [] : [troubled.step] });
  engine.troubled = troubled?.step;
}
