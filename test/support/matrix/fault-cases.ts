import type { AnyFlow } from '../../../workflows/operation/flow.ts';
import { isUncancellable } from '../../../workflows/operation/step-declaration.ts';
import type { Plan } from './planned-faults.ts';

/** One run of a flow with what it meets, and how it has to end. */
export type FaultCase = {
  readonly name: string;
  readonly flow: AnyFlow;
  readonly plan: Plan;
  /** Cancelled where it first stands; `waiting`: while it waits for something from outside, which is not brought. */
  readonly cancel?: 'standing' | 'waiting';
  readonly ends: 'succeeded' | 'cancelled';
  /** Cases with the same text show the same step at the same boundary, in different flows. */
  readonly shows: string;
};

const boundaries = ['before-effect', 'after-effect', 'after-record'] as const;

/** All that can befall a flow, from its declaration alone. */
export function faultCases(flow: AnyFlow): readonly FaultCase[] {
  const names = Object.keys(flow.steps);
  return [
    ...names.flatMap((step) => boundaries.map((boundary) => killed(flow, step, boundary))),
    ...names.filter((step) => isOutside(flow, step)).map((step) => answerLost(flow, step)),
    ...names.map((step) => cancelled(flow, step)),
    ...undone(flow).flatMap((step) => boundaries.map((boundary) => killedUndoing(flow, step, boundary))),
  ];
}

/** A run that meets nothing, and one that is cancelled as late as it can be: what the others are compared with. */
export function references(flow: AnyFlow): { readonly whole: FaultCase; readonly undone: FaultCase } {
  const meets = { flow, shows: 'nothing' };
  return {
    whole: { ...meets, name: `${flow.name} alone`, plan: { stops: [] }, ends: 'succeeded' },
    undone: { ...meets, ...cancelled(flow, lastCancellable(flow)), name: `${flow.name} cancelled late` },
  };
}

function killed(flow: AnyFlow, step: string, boundary: string): FaultCase {
  const at = `${step}:${boundary}`;
  return {
    ...{ name: `${flow.name}, killed at ${at}`, flow, shows: `kill ${at}`, ends: 'succeeded' },
    plan: { stops: [{ at, until: 'killed' }] },
  };
}

function answerLost(flow: AnyFlow, step: string): FaultCase {
  return {
    ...{ name: `${flow.name}, answers of ${step} lost`, flow, shows: `lose ${step}`, ends: 'succeeded' },
    plan: { stops: [], loses: step },
  };
}

function cancelled(flow: AnyFlow, step: string): FaultCase {
  const waits = flow.steps[step]?.effect === 'await';
  return {
    ...{ name: `${flow.name}, cancelled at ${step}`, flow, shows: `cancel ${step}` },
    plan: { stops: waits ? [] : [standing(step)] },
    cancel: waits ? 'waiting' : 'standing',
    ends: isPastReturn(flow, step) ? 'succeeded' : 'cancelled',
  };
}

function killedUndoing(flow: AnyFlow, step: string, boundary: string): FaultCase {
  const at = `${step}.undo:${boundary}`;
  return {
    ...{ name: `${flow.name}, killed at ${at}`, flow, shows: `kill ${at}`, ends: 'cancelled' },
    plan: { stops: [standing(lastCancellable(flow)), { at, until: 'killed' }] },
    cancel: 'standing',
  };
}

/** Under way: an outside step has been announced to the ledger, one of rows is about to be. */
function standing(step: string) {
  return { at: `${step}:before-effect`, until: 'released' } as const;
}

/** Whether a cancel comes too late while the step is under way. An uncancellable one of rows has not begun before it is done. */
function isPastReturn(flow: AnyFlow, step: string): boolean {
  const declared = Object.entries(flow.steps);
  return declared
    .slice(0, declared.findIndex(([name]) => name === step) + 1)
    .some(([name, one]) => isUncancellable(one) && (name !== step || one.effect !== 'transaction'));
}

function lastCancellable(flow: AnyFlow): string {
  const last = Object.keys(flow.steps).findLast((step) => !isPastReturn(flow, step));
  if (last === undefined) throw new Error(`Flow ${flow.name} cannot be cancelled at any step`);
  return last;
}

/** The steps with undos of their own that run where the flow is cancelled as late as it can be. */
function undone(flow: AnyFlow): readonly string[] {
  const names = Object.keys(flow.steps);
  const last = lastCancellable(flow);
  // What is a transaction has not begun while it is about to.
  const upTo = names.indexOf(last) + (flow.steps[last]?.effect === 'transaction' ? 0 : 1);
  return names.slice(0, upTo).filter((step) => flow.steps[step]?.undo === 'own');
}

function isOutside(flow: AnyFlow, step: string): boolean {
  const effect = flow.steps[step]?.effect;
  return effect === 'keyed' || effect === 'natural';
}

/** A choice of the cases that shows each step at each boundary at least once, in whichever flow. */
export function sampled(cases: readonly FaultCase[], random: () => number): readonly FaultCase[] {
  const alike = Map.groupBy(cases, ({ shows }) => shows);
  return [...alike.values()].map((same) => same[Math.floor(random() * same.length)] as FaultCase);
}

/** In another order, so that other cases stand together. */
export function shuffled<T>(all: readonly T[], random: () => number): readonly T[] {
  return all
    .map((one) => ({ one, at: random() }))
    .toSorted((a, b) => a.at - b.at)
    .map(({ one }) => one);
}
