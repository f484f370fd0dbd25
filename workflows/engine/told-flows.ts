import { type AnyFlow, isPosted } from '../operation/flow.ts';
import type { Operation } from './operation.ts';

/**
 * The flows that have stories.
 * @throws TypeError if a flow is listed twice, or two flows share a route, or a flow has no workflow
 */
export function toldFlows(...operations: readonly Operation[]): readonly Operation[] {
  expectApart(operations.map(({ flow }) => flow));
  for (const { flow } of operations)
    if (flow.workflow !== 'tells') throw misplaced(flow, 'has no workflow', 'withUntold');
  return operations;
}

/**
 * All flows: those that have stories, and those that settle in their claims.
 * @throws TypeError if a flow is listed twice, or two flows share a route, or a flow needs a story
 */
export function withUntold(operations: readonly Operation[], ...untold: readonly AnyFlow[]): readonly AnyFlow[] {
  const all = [...operations.map(({ flow }) => flow), ...untold];
  expectApart(all);
  for (const flow of untold) if (flow.workflow !== 'never') throw misplaced(flow, 'is told by a workflow', 'toldFlows');
  return all;
}

function misplaced({ name }: AnyFlow, is: string, list: string): TypeError {
  return new TypeError(`Flow ${name} ${is}: list it with \`${list}\` in workflows/flows.ts.`);
}

function expectApart(flows: readonly AnyFlow[]): void {
  for (const [n, flow] of flows.entries()) {
    const before = flows.slice(0, n);
    if (before.some(({ name }) => name === flow.name))
      throw new TypeError(`Flow ${flow.name} is listed twice: name it once in workflows/flows.ts.`);
    if (!isPosted(flow)) continue;
    const other = before.find(({ route }) => route === flow.route);
    if (other !== undefined)
      throw new TypeError(
        `Flows ${other.name} and ${flow.name} share the route /v1/${flow.route}: give one of them another, in ` +
          `workflows/${flow.name}.flow.ts.`,
      );
  }
}
