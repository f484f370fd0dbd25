import { Context } from '@temporalio/activity';
import type {
  Ending,
  Finished,
  Hold,
  StepCall,
  StepReply,
  WaitCall,
  WaitReply,
} from '../../workflows/operation/call.ts';
import { ledgerMove } from './step-failure.ts';
import { Stopped } from '../stores/outcomes/stopped.ts';
import { Throttled } from '../stores/outcomes/throttled.ts';
import { Unconfirmed } from '../stores/outcomes/unconfirmed.ts';
import type { Database } from '../stores/postgres/database.ts';
import {
  resolutionLapsed,
  resolvedAsDone,
  resolvedWithoutEffect,
} from '../stores/postgres/ledger/resolutions/judge-resolution.ts';
import {
  pendingResolution,
  type SaidDone,
  type SaidWithoutEffect,
} from '../stores/postgres/ledger/resolutions/pending-resolution.ts';

type Reply = StepReply | WaitReply;

/** Checks outside what a person says of the step; undefined if it cannot be checked. */
export type Check = ((call: StepCall, said: SaidDone) => Promise<unknown>) | undefined;

/**
 * Runs one try of a step, unless a person has said in the meantime what became of it. It looks for that only if the
 * step was tried before, so a step that goes well does not pay for it.
 * @throws what the ledger's own moves throw, and `stopped` if a person said that the step had no effect
 */
export async function unlessResolved<R extends Reply>(
  database: Database,
  call: StepCall | WaitCall,
  check: Check,
  work: () => Promise<R>,
): Promise<R | { readonly result: unknown }> {
  if (!call.again && Context.current().info.attempt === 1) return await work();
  const done = await ledgerMove(async () => {
    const said = await pendingResolution(database, call);
    switch (said?.outcome) {
      case undefined:
        return undefined;
      case 'done':
        return await confirmed(database, call, check, said);
      case 'no-effect':
        return await stopped(database, call, said);
    }
  });
  return done ?? (await work());
}

/**
 * Follows what a person has said of a step whose code is at fault, since no try would.
 * @throws Stopped if a person said that it had no effect
 */
export async function followWord(
  database: Database,
  call: Hold & { readonly step: string; readonly carry: readonly Finished[] },
): Promise<void> {
  const said = await pendingResolution(database, call);
  switch (said?.outcome) {
    case undefined:
      return;
    case 'done':
      return await resolutionLapsed(database, call, said.number, "The flow's code has to be mended first.");
    case 'no-effect':
      if (said.remaining === 0) await stop(database, call, said.number, false);
  }
}

/** @returns the step's result; undefined if what was said did not hold, and the step is to be tried as before */
async function confirmed(
  database: Database,
  call: StepCall | WaitCall,
  check: Check,
  said: SaidDone,
): Promise<{ readonly result: unknown } | undefined> {
  const lapsed = (says: string) => resolutionLapsed(database, call, said.number, says);
  if (check === undefined || !isStep(call)) {
    await lapsed('The code of this step cannot look whether it has happened.');
    return undefined;
  }
  let result: unknown;
  try {
    result = await check(call, said);
  } catch (error) {
    const why = error instanceof Unconfirmed ? error.message : undefined;
    // It is not kept until it can be checked: by then the person may say something else.
    await lapsed(why ?? 'The outside system gave no usable answer, so it could not be checked. Say it again later.');
    return undefined;
  }
  await resolvedAsDone(database, call, said.number, result);
  return { result };
}

async function stopped(database: Database, call: StepCall | WaitCall, said: SaidWithoutEffect): Promise<never> {
  const optional = isStep(call) && call.optional === true;
  if (said.remaining > 0)
    throw new Throttled(
      'An operator has found that this had no effect. It is believed once no request can be under way any more.',
      said.remaining,
    );
  return await stop(database, call, said.number, optional);
}

async function stop(
  database: Database,
  call: Hold & { readonly step: string; readonly carry: readonly Finished[] },
  said: number,
  optional: boolean,
): Promise<never> {
  const ending: Ending = {
    state: 'refused',
    refusal: optional
      ? { code: 'step-failed', detail: 'An operator has found that the step had no effect, and it was left out.' }
      : {
          code: 'stopped-by-operator',
          detail: `An operator has found that ${call.step} had no effect, and has stopped the operation.`,
        },
  };
  await resolvedWithoutEffect(database, call, said, ending, optional);
  throw new Stopped(ending);
}

function isStep(call: StepCall | WaitCall): call is StepCall {
  return 'input' in call;
}
