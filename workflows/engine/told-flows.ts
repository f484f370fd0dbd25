import type { Operation } from './operation.ts';

/**
 * The list of flows, each with its story.
 * @throws TypeError if a flow is listed twice, or two flows share a route
 */
export function toldFlows(...operations: readonly Operation[]): readonly Operation[] {
  for (const [n, { flow }] of operations.entries()) {
    const before = operations.slice(0, n).map((one) => one.flow);
    if (before.some(({ name }) => name === flow.name))
      throw new TypeError(`Flow ${flow.name} is listed twice: name it once in workflows/flows.ts.`);
    const other = before.find(({ route }) => route === flow.route);
    if (other !== undefined)
      throw new TypeError(
        `Flows ${other.name} and ${flow.name} share the route /v1/${flow.route}: give one of them another, in ` +
          `workflows/${flow.name}.flow.ts.`,
      );
  }
  return operations;
}
