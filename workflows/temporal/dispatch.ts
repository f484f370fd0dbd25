import { workflowInfo } from '@temporalio/workflow';
import type { Operation } from '../engine/operation.ts';
import type { Opening, OperationRef } from '../operation/call.ts';
import type { OperationState } from '../operation/state.ts';
import { workflowOf } from './workflow-of.ts';

/** @returns the workflow of all flows: it tells the story of the flow that its type names */
export function dispatch(operations: readonly Operation[]) {
  const workflows = new Map(operations.map((operation) => [operation.flow.name, workflowOf(operation)]));
  return async (ref: OperationRef, opening?: Opening): Promise<OperationState> => {
    const { workflowType } = workflowInfo();
    const workflow = workflows.get(workflowType);
    // This fails the task and not the run. A worker of a newer build, which knows the flow, takes it next.
    if (workflow === undefined)
      throw new Error(`This build knows no flow ${workflowType}: deploy workers before doors`);
    return await workflow(ref, opening);
  };
}
