import { spoken } from './duration.ts';
import { isIrreversible, isRefusable, type StepDeclaration } from './step-declaration.ts';

type Named = { readonly name: string; readonly step: StepDeclaration; readonly position: number };

/** Step names stand in downstream keys at providers: a permanent contract. */
const stepName = /^[a-z][A-Za-z0-9]{0,40}$/;

/**
 * Looks for declarations that could lose money or leave something behind. Steps stand in the order in which the story
 * tells them; the engine refuses a story that goes back.
 * @returns what is wrong, one sentence each: the flow, the step, the danger, and how to mend it
 */
export function stepFaults(
  flow: string,
  steps: Readonly<Record<string, StepDeclaration>>,
  patience: number,
): readonly string[] {
  const named = Object.entries(steps).map(([name, step], position): Named => ({ name, step, position }));
  const last = named.at(-1);
  if (last === undefined) return [`Flow ${flow} has no steps: declare at least the one that settles it.`];
  return [
    ...named.flatMap((one) => [
      ...ofItself(flow, one),
      ...ofPatience(flow, one, patience),
      ...ofWait(flow, one),
      ...ofCover(flow, one, steps),
      ...(one === last ? ofLast(flow, one) : []),
    ]),
    ...pastReturn(flow, named, last),
  ];
}

function ofItself(flow: string, { name, step }: Named): string[] {
  const faults: string[] = [];
  const at = `Step ${flow}.${name}`;
  if (!stepName.test(name))
    faults.push(`Step name ${flow}.${name} must match ${stepName.source}: it stands in keys at providers.`);
  if (step.effect === 'keyed' && step.undo === 'nothing')
    faults.push(
      `${at} acts on an outside system and says that there is nothing to undo, so that a cancel would leave its effect ` +
        `behind: give it an undo ('own', or { coveredBy } an earlier step), or call it 'irreversible'.`,
    );
  if (step.effect === 'keyed' && step.calls === undefined)
    faults.push(
      `${at} acts on an outside system and does not say which, so that nothing would keep its calls from a system that ` +
        `fails: name it in 'calls', as in activities/outside/systems.ts.`,
    );
  if (step.effect === 'transaction' && step.placement !== undefined)
    faults.push(`${at} writes rows of ours, which only the ledger commits: leave its placement out.`);
  if (step.effect !== 'transaction' && (step.placement as string | undefined) === undefined)
    faults.push(`${at} touches what is outside, which the ledger's budget is not made for: give it a placement.`);
  if (step.effect === 'transaction' && step.resolvedAs)
    faults.push(
      `${at} writes rows of ours: the ledger knows whether it is done, and nobody has to say. Drop resolvedAs.`,
    );
  if (step.optional && isIrreversible(step))
    faults.push(
      `${at} is optional and irreversible: after a failure nobody would know whether it happened, and the story would go ` +
        `on. Make it one or the other.`,
    );
  if (step.optional && step.uncancellable)
    faults.push(
      `${at} is optional and uncancellable: what may be left out cannot decide that a cancel comes too late.`,
    );
  return faults;
}

function ofPatience(flow: string, { name, step }: Named, patience: number): string[] {
  if (step.optional === undefined || (step.optional.within > 0 && step.optional.within < patience)) return [];
  return [
    `Step ${flow}.${name} is optional and asked for within ${spoken(step.optional.within)}, but the flow's patience is ${spoken(patience)}: ` +
      `the operation would be undone for something that it can do without. Give it a shorter time.`,
  ];
}

function ofWait(flow: string, { name, step }: Named): string[] {
  if (step.effect !== 'await') return [];
  const at = `Step ${flow}.${name} waits`;
  const fields = Object.keys(step.evidence.shape);
  const unknown = step.same.filter((field) => !fields.includes(field));
  return [
    ...(step.patience > 0
      ? []
      : [`${at} for ${spoken(step.patience)}: nothing could ever arrive. Give it a patience.`]),
    ...(step.same.length > 0
      ? []
      : [
          `${at}, and no field tells two pieces of evidence apart: any second one would pass for the first. Name some in 'same'.`,
        ]),
    ...(unknown.length === 0
      ? []
      : [
          `${at}, and compares its evidence by ${unknown.join(', ')}, which it does not have: name fields of its schema.`,
        ]),
  ];
}

function ofCover(
  flow: string,
  { name, step, position }: Named,
  steps: Readonly<Record<string, StepDeclaration>>,
): string[] {
  if (typeof step.undo !== 'object') return [];
  const { coveredBy } = step.undo;
  const at = `Step ${flow}.${name} counts on the undo of ${coveredBy}`;
  const cover = steps[coveredBy];
  if (cover === undefined)
    return [
      `${at}, and the flow has no such step: name one of ${Object.keys(steps).join(', ')} that has an undo of its own.`,
    ];
  if (cover.undo !== 'own') return [`${at}, which has no undo of its own: nothing would take it back.`];
  if (Object.keys(steps).indexOf(coveredBy) > position)
    return [`${at}, which comes later: where the story ends in between, nothing takes it back. Name an earlier step.`];
  if (cover.optional) return [`${at}, which is optional: where that one was left out, nothing takes it back.`];
  return [];
}

/** The last step commits together with the outcome, so it can never be undone. */
function ofLast(flow: string, { name, step }: Named): string[] {
  const at = `Step ${flow}.${name} is the last one`;
  if (step.effect !== 'transaction')
    return [
      `${at} and no transaction: outcome and answer are committed together with it. Let a row step come last, such as ` +
        `one that marks the order as done.`,
    ];
  if (step.optional) return [`${at} and optional: the operation would never settle. Leave 'optional' out.`];
  if (step.undo !== 'nothing' || step.uncancellable)
    return [`${at}: it is committed together with the outcome and never undone. Declare undo: 'nothing', and no more.`];
  return [];
}

/** The fault that loses money: something irreversible stands before a step that can still refuse. */
function pastReturn(flow: string, named: readonly Named[], last: Named): string[] {
  return named
    .filter(({ step }) => isIrreversible(step))
    .flatMap((gone) =>
      named
        // The refusal of an optional step is ignored, and the last step settles.
        .filter(
          ({ step, position }) =>
            position > gone.position && isRefusable(step) && !step.optional && position < last.position,
        )
        .map(
          ({ name }) =>
            `Flow ${flow}: ${gone.name} is irreversible and stands before ${name}, which can still be refused: its effect ` +
            `would stay while the caller is told that nothing happened. Move ${name} before ${gone.name}, give ${gone.name} ` +
            `an undo (a captured payment can be refunded), or make ${name} optional.`,
        ),
    );
}
