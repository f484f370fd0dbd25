import type { Database } from '../../../activities/stores/postgres/database.ts';
import { resendFlow } from '../../../workflows/resend.flow.ts';
import { signupFlow } from '../../../workflows/signup.flow.ts';
import type { Gateway } from '../../gateway.ts';
import type { FlowAdditions } from '../flow-additions.ts';
import { shownOperation } from '../operations/shown-operations.ts';
import { HttpProblem } from '../problems/http-problem.ts';
import { verifyRoutes } from './verify-routes.ts';

type SignupParts = {
  readonly gateway: Gateway;
  readonly database: Database;
  /** Whether callers are told that an address is taken. They then wait until somebody has looked. */
  readonly reveals: boolean;
};

/** What sign-ups add to the HTTP API: the page behind their links, and who may have a mail sent again. */
export function signupAdditions({ gateway, database, reveals }: SignupParts): readonly FlowAdditions[] {
  return [
    { flow: signupFlow, waits: reveals, openRoutes: (app) => verifyRoutes(app, { gateway, database }) },
    {
      flow: resendFlow,
      async mayAsk({ id }, { caller }) {
        const shown = await shownOperation(gateway, caller, id as string);
        if (shown.flow !== signupFlow.name) throw new HttpProblem('not-found', 'There is no such sign-up.');
      },
    },
  ];
}
