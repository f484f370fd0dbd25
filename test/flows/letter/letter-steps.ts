import { z } from 'zod';
import { httpStep } from '../../../activities/engine/http-step.ts';
import { rowStep } from '../../../activities/engine/row-step.ts';
import { guestbookIn } from '../guestbook/entry-steps.ts';
import type { OwnClients } from './letter-shop.ts';

/** The shop's address and token come from its settings, by its client. */
export function post({ letterShop: { url, token } }: OwnClients) {
  return httpStep({
    system: 'The letter shop',
    headers: { authorization: `Bearer ${token}` },
    request: ({ words }: { readonly words: string }, { operation }) => ({
      url: `${url}/letters`,
      body: { words, operation },
    }),
    answer: z.object({ parcel: z.number() }).transform(() => null),
    refuses: {},
    undo: {
      request: (_sent, _result, { stepKey, operation }) => ({
        url: `${url}/voids`,
        body: { key: stepKey, operation },
      }),
    },
  });
}

export const enter = rowStep<{ readonly words: string }, null>({
  async run(tx, { words }, { operation, tenant }) {
    const line = { operation_id: operation, tenant, page: 'letters', words };
    await guestbookIn(tx).insertInto('guestbook.entry').values(line).execute();
    return null;
  },
});
