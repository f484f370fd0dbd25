import { activityName, type WaitCall, type WaitReply } from '../operation/call.ts';
import type { AnyFlow, StepName } from '../operation/flow.ts';
import type { StepDeclaration } from '../operation/step-declaration.ts';
import { bug } from './bug.ts';
import type { StepSignatures, Story } from './story.ts';

/**
 * Waits for a step that the caller makes, such as sending bytes: looks in the ledger, sleeps until there is news or the
 * deadline of the row has passed, and looks again. What other steps have left to record is written before the sleep.
 * @throws a refusal when the deadline has passed and nothing has arrived; the step's undo still looks for strays
 */
export async function arrival<F extends AnyFlow, S extends StepSignatures, N extends StepName<F> & keyof S & string>(
  story: Story<F, S>,
  name: N,
): Promise<S[N]['result']> {
  const { teller, progress, flow } = story;
  progress.reach(name);
  const known = progress.known(name);
  if (known !== undefined) return known.result;
  const declaration = flow.steps[name] as StepDeclaration;
  if (!declaration.refusable) throw bug(flow, name, 'is a wait, which may expire: declare it as refusable');
  teller.show(declaration.says);
  for (let looks = 0; ; looks += 1) {
    const seen = teller.heard();
    const call: WaitCall = {
      ...progress.held,
      step: name,
      position: progress.positionOf(name),
      personAfter: flow.personAfter,
      carry: progress.carry,
      ...(progress.isTakenOver ? { again: true } : {}),
    };
    const reply = await teller.look<WaitCall, WaitReply>(activityName(flow.name, name), declaration.says, call);
    progress.recorded();
    if (reply.kind === 'arrived') {
      progress.patienceBegins(teller.now());
      return reply.result;
    }
    if (looks === 0) teller.show(declaration.says, name);
    await teller.listen(seen, reply.remaining);
  }
}
