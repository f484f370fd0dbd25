import { z } from 'zod';
import { ownedId } from '../workflows/operation/key.ts';
import type { Refusal } from '../workflows/operation/outcome.ts';
import { signupFlow } from '../workflows/signup.flow.ts';
import { comparableAddressOf } from './accounts/comparable-address.ts';
import { newSignupLink } from './accounts/signup-link.ts';
import { awaitedActivities } from './engine/await-step.ts';
import { type SignaturesOf, stepsOf } from './engine/flow-activities.ts';
import { type StatementStep, statementActivities } from './engine/statement-step.ts';
import type { Registration } from './registration.ts';
import { activateAccount } from './stores/postgres/accounts/activate-account.ts';
import { beginSignup } from './stores/postgres/accounts/begin-signup.ts';
import { withdrawAccount } from './stores/postgres/accounts/withdraw-account.ts';
import type { Stores } from './stores.ts';

/** Sealed, as it stands in the request. */
type Asked = { readonly email: string };

const register = ({ seals, takenAddresses }: Pick<Stores, 'seals' | 'takenAddresses'>): StatementStep<Asked, null> => ({
  effect({ email }, { operation, tenant, step }) {
    const place = { tenant, flow: signupFlow.name, field: 'email' };
    const address = comparableAddressOf(String(seals.open(email, { ...place, operation })));
    return beginSignup(
      {
        operation,
        account: ownedId('acc', operation),
        addresses: address === undefined ? [] : seals.indexes(address, place),
        reveals: takenAddresses === 'reveal',
        link: newSignupLink(seals, operation, tenant),
      },
      step,
    );
  },
  result: z.null(),
  refusal: (row) => notHeld(row?.became),
  undo: async (tx, { operation }) => void (await tx.run(withdrawAccount(operation))),
});

function notHeld(became: unknown): Refusal {
  if (became === 'taken')
    return {
      code: 'address-taken',
      detail: 'There is an account with this address: sign in, or take another address.',
    };
  if (became === 'spent')
    return {
      code: 'key-expired',
      detail: 'This key was used so long ago that its answer is forgotten: make a new key.',
    };
  return { code: 'address-unsound', detail: 'No mail can be sent to this address: correct it.' };
}

const activate: StatementStep<null, null> = {
  effect: (_input, { operation, step }) => activateAccount(operation, step),
  result: z.null(),
  refusal(_row, _input, { operation }) {
    throw new Error(`The sign-up ${operation} holds no address: there is no account to make`);
  },
};

function steps(stores: Stores) {
  const { database } = stores;
  return stepsOf<typeof signupFlow>()({
    register: statementActivities(database, register(stores)),
    verify: awaitedActivities(database, {}),
    activate: statementActivities(database, activate),
  });
}

export type SignupSteps = SignaturesOf<ReturnType<typeof steps>>;

export const registration: Registration = { flow: signupFlow, steps };
