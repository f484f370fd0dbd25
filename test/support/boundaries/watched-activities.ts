import type { Activity } from '../../../activities/engine/named-activities.ts';
import type { AnyFlow } from '../../../workflows/operation/flow.ts';
import type { StepDeclaration } from '../../../workflows/operation/step-declaration.ts';
import { doing } from './doing.ts';
import type { Boundaries } from './boundaries.ts';

/**
 * Activities whose effect is outside have it behind them when they return, and nothing is recorded before the operation's
 * next ledger transaction: that is their boundary between effect and record. The others are in `watched-database.ts`.
 */
export function watchedActivities(
  activities: Readonly<Record<string, Activity>>,
  flows: readonly AnyFlow[],
  faults: Boundaries,
): Record<string, Activity> {
  const declared = new Map(flows.map((flow) => [flow.name, flow.steps]));
  const watched: Record<string, Activity> = {};
  for (const [activity, run] of Object.entries(activities)) {
    const [flow = '', step = '', undo] = activity.split('.');
    const declaration = declared.get(flow)?.[step];
    const name = declaration === undefined ? activity : [step, ...(undo === undefined ? [] : [undo])].join('.');
    const outside = declaration !== undefined && isOutside(declaration, undo !== undefined);
    const work = run as (call: { readonly operation: { readonly id: string } }) => Promise<unknown>;
    const around = async (call: { readonly operation: { readonly id: string } }): Promise<unknown> => {
      const operation = call.operation.id;
      await faults.stands(operation);
      try {
        return await doing.run({ operation, name, loses: faults.loses(operation, name) }, () => work(call));
      } finally {
        if (outside) await faults.reach(operation, `${name}:after-effect`);
      }
    };
    watched[activity] = around as Activity;
  }
  return watched;
}

/** A wait only looks into the ledger; its undo takes back what has come outside. */
function isOutside({ effect }: StepDeclaration, undoing: boolean): boolean {
  switch (effect) {
    case 'transaction':
      return false;
    case 'await':
      return undoing;
    case 'keyed':
    case 'natural':
      return true;
  }
}
