import { proxyLocalActivities } from '@temporalio/workflow';
import { activityName, type WaitCall, type WaitReply } from '../operation/call.ts';
import { bug } from './bug.ts';
import type { AnyFlow, StepName } from '../operation/flow.ts';
import { patienceEnds } from './patience.ts';
import { expectOrder } from './expect-order.ts';
import { ledgerWrite } from '../operation/presets.ts';
import type { StepDeclaration } from '../operation/step-declaration.ts';
import { held, isTakenOver, news, type StepSignatures, type Story, tellPeople } from './story.ts';

/**
 * Waits for a step that the caller makes, such as sending bytes: looks in the ledger, sleeps until there is news or the
 * deadline of the row has passed, and looks again. What other steps have left to record is written before the sleep.
 * @throws a refusal when the deadline has passed and nothing has arrived; the step's undo still looks for strays
 */
export async function arrival<F extends AnyFlow, S extends StepSignatures, N extends StepName<F> & keyof S & string>(
  story: Story<F, S>,
  name: N,
): Promise<S[N]['result']> {
  const { engine, flow } = story;
  expectOrder(story, name);
  if (Object.hasOwn(engine.done, name)) return engine.done[name];
  const declaration = flow.steps[name] as StepDeclaration;
  if (!declaration.refusable) throw bug(flow, name, 'is a wait, which may expire: declare it as refusable');
  const position = Object.keys(flow.steps).indexOf(name);
  const look = proxyLocalActivities<Record<string, (call: WaitCall) => Promise<WaitReply>>>({
    ...ledgerWrite,
    summary: declaration.says,
  })[activityName(flow.name, name)] as (call: WaitCall) => Promise<WaitReply>;
  // A cancel from Temporal's UI comes without a signal.
  engine.interrupt = () => {
    engine.wakes += 1;
  };
  tellPeople(story, declaration.says);
  try {
    for (let looks = 0; ; looks += 1) {
      const seen = engine.wakes;
      const reply = await look({
        ...held(story),
        step: name,
        position,
        personAfter: flow.personAfter,
        carry: engine.carry,
        ...(isTakenOver(engine) ? { again: true } : {}),
      });
      engine.carry = [];
      if (reply.kind === 'arrived') {
        engine.until = patienceEnds(flow, 0);
        return reply.result;
      }
      if (looks === 0) tellPeople(story, declaration.says, { step: name });
      await news(story, seen, reply.remaining);
    }
  } finally {
    engine.interrupt = undefined;
  }
}
