import { ApplicationFailure } from '@temporalio/activity';
import { z } from 'zod';
import { refusal } from '../../../activities/engine/http-call.ts';
import { HttpDoubt } from '../../../activities/engine/http-exchange.ts';
import { httpStep } from '../../../activities/engine/http-step.ts';

type Ask = { readonly office: string; readonly seat: string };
type Issued = { readonly number: string };

const issued = (what: 'tickets' | 'seat-maps') =>
  httpStep({
    system: 'The office',
    request: ({ office, seat }: Ask) => ({ url: `${office}/${what}`, body: { seat } }),
    answer: z.object({ number: z.string() }),
    refuses: {
      409: refusal('seat-taken', z.object({ reason: z.string() }), (no) => `The office refuses: ${no.reason}`),
    },
    // The office voids by the key of the request, so the undo need not know whether anything was issued.
    undo: { request: ({ url }, _issued, { stepKey: key }) => ({ url: new URL('/voids', url).href, body: { key } }) },
  });

export const ticket = issued('tickets');

/**
 * A ticket that the office does not take back. The office cannot be asked what it has issued: whoever has it on the
 * telephone is believed.
 */
export const finalTicket = { request: ticket.request, send: ticket.send, check: async (said: Issued) => said };

const drawn = issued('seat-maps');

/** A nicety: if the office fails at it we do not ask again, and never learn whether it was drawn. */
export const seatMap: typeof drawn = {
  ...drawn,
  async send(request, sending) {
    try {
      return await drawn.send(request, sending);
    } catch (error) {
      if (error instanceof HttpDoubt && (error.status ?? 0) >= 500)
        throw ApplicationFailure.nonRetryable(error.message, 'office-failed');
      throw error;
    }
  },
};
