import { awaitedActivities } from '../../../activities/engine/await-step.ts';
import { type SignaturesOf, stepsOf } from '../../../activities/engine/flow-activities.ts';
import { outsideActivities } from '../../../activities/engine/outside-step.ts';
import { statementActivities } from '../../../activities/engine/statement-step.ts';
import type { Registration } from '../../../activities/registration.ts';
import type { Stores } from '../../../activities/stores.ts';
import { finalTicket, ticket } from '../booking/office-steps.ts';
import { confirm, hold } from '../booking/seat-steps.ts';
import { oddAgainFlow, oddFinalFlow, oddNaturalFlow, oddReceiveFlow, oddThrowFlow } from './odd.flow.ts';

function ticketed({ database }: Stores) {
  return stepsOf<typeof oddAgainFlow>()({
    hold: statementActivities(database, hold),
    ticket: outsideActivities(database, ticket),
    confirm: statementActivities(database, confirm),
  });
}

/** The seat has been given away by the time it is to be confirmed. */
function final({ database }: Stores) {
  const tooLate = {
    ...confirm,
    refusal: () => ({ code: 'seat-taken', detail: 'The seat was given away.' }) as const,
  };
  return stepsOf<typeof oddFinalFlow>()({
    hold: statementActivities(database, hold),
    ticket: outsideActivities(database, finalTicket),
    confirm: statementActivities(database, tooLate),
  });
}

function receiving({ database }: Stores) {
  return stepsOf<typeof oddReceiveFlow>()({
    hold: statementActivities(database, hold),
    receive: awaitedActivities(database, {}),
    confirm: statementActivities(database, confirm),
  });
}

export type OddSteps = SignaturesOf<ReturnType<typeof ticketed>>;

export const oddActivities: readonly Registration[] = [
  { flow: oddNaturalFlow, steps: ticketed },
  { flow: oddFinalFlow, steps: final },
  { flow: oddAgainFlow, steps: ticketed },
  { flow: oddThrowFlow, steps: ticketed },
  { flow: oddReceiveFlow, steps: receiving },
];
