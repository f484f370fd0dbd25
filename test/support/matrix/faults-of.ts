import type { Footprint } from './footprints.ts';
import type { Running } from './matrix-lane.ts';

/** What a flow leaves where nothing befalls it, and what its tenant begins with. */
export type Expected = {
  readonly whole: Footprint;
  readonly undone: Footprint;
  readonly untouched: Footprint;
};

type Observed = { readonly found: Footprint; readonly asked: readonly unknown[]; readonly log: string };

/** @returns all that is wrong with how a case has ended, a sentence each; nothing where it ended as it should */
export function faultsOf(one: Running, expected: Expected, { found, asked, log }: Observed): readonly string[] {
  const wrong: string[] = [];
  const same = (what: string, is: unknown, ought: readonly unknown[]) => {
    const said = JSON.stringify(is);
    const allowed = ought.map((value) => JSON.stringify(value));
    if (!allowed.includes(said)) wrong.push(`${one.name}: ${what} is ${said}, not ${allowed.join(' or ')}`);
  };
  for (const { at } of one.plan.stops)
    if (!log.includes(`stands ${one.id} ${at}\n`)) wrong.push(`${one.name}: it never stood at ${at}`);
  if (one.plan.loses !== undefined && !log.includes(`passed ${one.id} ${one.plan.loses}:answer\n`))
    wrong.push(`${one.name}: no answer of ${one.plan.loses} was there to be lost`);
  if (one.cancel !== undefined)
    same('the cancel', one.cancelled, [one.ends === 'cancelled' ? 'requested' : 'past-no-return']);
  same('the end', found.state, [one.ends]);
  same('trouble', found.trouble, [[]]);
  if (new Set(asked.map((answer) => JSON.stringify(answer))).size > 1)
    wrong.push(`${one.name}: the same key is answered in two ways: ${JSON.stringify(asked)}`);
  if (one.ends === 'succeeded') {
    const { whole } = expected;
    same('the state of its steps', found.steps, [whole.steps]);
    same('its answer', found.answer, [whole.answer]);
    same('the list of its effects', found.effects, [whole.effects]);
    same('what is held for it', found.held, [whole.held]);
    same('the list of its objects', found.objects, [whole.objects]);
    same('the list of its rows', found.rows, [whole.rows]);
  } else {
    same('what is held for it', found.held, [{ money: 0, papers: 0 }]);
    same('the list of its objects', found.objects, [[]]);
    same('the list of its rows', found.rows, [expected.undone.rows, expected.untouched.rows]);
    wrong.push(...stepsLeft(one, found));
  }
  return wrong;
}

/** What an undone operation may leave its steps as: taken back, never begun, or with nothing to take back. */
function stepsLeft({ name, flow }: Running, { steps }: Footprint): readonly string[] {
  return Object.entries(steps)
    .filter(([step, state]) => {
      const undo = flow.steps[step]?.undo;
      const nothing = undo === 'nothing' && ['done', 'sent', 'unknown'].includes(state);
      return !nothing && !['undone', 'failed', 'planned'].includes(state);
    })
    .map(([step, state]) => `${name}: step ${step} is left ${state}`);
}

/** @returns what is wrong with the runs that the others are compared with */
export function referenceFaults(flow: string, { whole, undone, untouched }: Expected): readonly string[] {
  const wrong: string[] = [];
  if (whole.state !== 'succeeded') wrong.push(`${flow} alone ends as ${whole.state}`);
  if (JSON.stringify(whole.rows) === JSON.stringify(untouched.rows) && whole.effects.length === 0)
    wrong.push(`${flow} alone leaves nothing that could be counted`);
  if (undone.state !== 'cancelled') wrong.push(`${flow}, cancelled late, ends as ${undone.state}`);
  // What the tenant began with, such as its stock, is as it was; rows that only tell what has been may stand beside it.
  for (const row of untouched.rows)
    if (!undone.rows.includes(row)) wrong.push(`${flow}, cancelled late, does not leave ${row}`);
  return wrong;
}
