import { activityName, type WaitCall, type WaitReply } from '../operation/call.ts';
import type { AnyFlow, AwaitStep, EvidenceOf } from '../operation/flow.ts';
import type { AwaitDeclaration } from '../operation/step-declaration.ts';
import type { StepSignatures, Story } from './story.ts';
import { Unfinished } from './unfinished.ts';

/**
 * Waits for something from outside, such as bytes: looks in the ledger, sleeps until there is news or the deadline of
 * the row has passed, and looks again. Records of other steps that are still to be written are written before the
 * sleep. The flow's patience stands still meanwhile.
 * @returns the evidence that counts
 * @throws a refusal when the deadline has passed and nothing has arrived; the step's undo still looks for strays
 */
export async function awaitStep<F extends AnyFlow, S extends StepSignatures, N extends AwaitStep<F>>(
  story: Story<F, S>,
  name: N,
): Promise<EvidenceOf<F, N>> {
  const { teller, progress, flow } = story;
  progress.reach(name);
  const known = progress.known(name);
  if (known !== undefined) return known.result as EvidenceOf<F, N>;
  const { says, patience, same, expired, looksEvery } = flow.steps[name] as AwaitDeclaration;
  const since = teller.now();
  progress.expectPatience(since);
  teller.show(says);
  for (let looks = 0; ; looks += 1) {
    const seen = teller.heard();
    const call: WaitCall = {
      ...progress.held,
      step: name,
      position: progress.positionOf(name),
      patience,
      same,
      personAfter: flow.personAfter,
      carry: progress.carry,
      ...(progress.isTakenOver ? { again: true } : {}),
      ...(looksEvery !== undefined && looks > 0 ? { looks: true } : {}),
    };
    const reply = await teller.look<WaitCall, WaitReply>(activityName(flow.name, name), says, call);
    progress.recorded();
    switch (reply.kind) {
      case 'arrived':
        progress.patienceStoodStill(teller.now() - since);
        return reply.result as EvidenceOf<F, N>;
      case 'closed':
        throw new Unfinished({ kind: 'refused', refusal: { code: 'expired', detail: expired }, attempt: 0 }, expired);
      case 'waiting':
        if (looks === 0) teller.show(says, name);
        await teller.listen(seen, Math.min(reply.remaining, looksEvery ?? reply.remaining));
    }
  }
}
