import type { SignupSteps } from '../activities/signup.ts';
import { awaitStep } from './engine/await-step.ts';
import { operation } from './engine/operation.ts';
import { finish, step } from './engine/step.ts';
import { ownedId } from './operation/key.ts';
import { signupFlow } from './signup.flow.ts';

/**
 * An address is held, confirmed by its owner, and becomes an account. A sign-up for an address that is taken is told alike: nobody
 * has a link that could confirm it, so that it expires.
 */
export const signup = operation<typeof signupFlow, SignupSteps>(signupFlow, async (story) => {
  const { email } = story.request;
  await step(story, 'register', { email });
  await awaitStep(story, 'verify');
  await finish(story, 'activate', null, { accountId: ownedId('acc', story.id) });
});
