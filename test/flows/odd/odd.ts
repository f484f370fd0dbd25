import { awaitStep } from '../../../workflows/engine/await-step.ts';
import { operation } from '../../../workflows/engine/operation.ts';
import { finish, step } from '../../../workflows/engine/step.ts';
import type { Story } from '../../../workflows/engine/story.ts';
import type { OddSteps as Steps } from './odd-activities.ts';
import { oddAgainFlow, oddFinalFlow, oddNaturalFlow, oddReceiveFlow, oddThrowFlow } from './odd.flow.ts';

async function ticketed(story: Story<typeof oddNaturalFlow | typeof oddFinalFlow, Steps>): Promise<void> {
  const { seat, office } = story.request;
  await step(story, 'hold', { seat });
  const { number: ticket } = await step(story, 'ticket', { office, seat });
  await finish(story, 'confirm', null, { seat, ticket });
}

export const oddNatural = operation<typeof oddNaturalFlow, Steps>(oddNaturalFlow, ticketed);
export const oddFinal = operation<typeof oddFinalFlow, Steps>(oddFinalFlow, ticketed);

export const oddAgain = operation<typeof oddAgainFlow, Steps>(oddAgainFlow, async (story) => {
  const { seat, office } = story.request;
  await step(story, 'hold', { seat });
  await step(story, 'ticket', { office, seat });
  await step(story, 'hold', { seat });
});

export const oddThrow = operation<typeof oddThrowFlow, Steps>(oddThrowFlow, async (story) => {
  const { seat, office } = story.request;
  await step(story, 'hold', { seat });
  const { number } = await step(story, 'ticket', { office, seat });
  throw new TypeError(`Nobody has thought of ${number}`);
});

export const oddReceive = operation<typeof oddReceiveFlow, Steps>(oddReceiveFlow, async (story) => {
  const { seat } = story.request;
  await step(story, 'hold', { seat });
  const { reference: ticket } = await awaitStep(story, 'receive');
  await finish(story, 'confirm', null, { seat, ticket });
});
