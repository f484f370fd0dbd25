import { ApplicationFailure } from '@temporalio/activity';
import type { OutsideStep } from '../../../activities/engine/outside-step.ts';
import { Doubtful } from '../../../activities/stores/outcomes/doubtful.ts';
import { Refused } from '../../../activities/stores/outcomes/refused.ts';
import type { Sending } from '../../../activities/stores/sending.ts';

type Ask = { readonly office: string; readonly seat: string };
type Issued = { readonly number: string };

export type OfficeSteps = {
  ticket: { input: Ask; result: Issued };
  seatMap: { input: Ask; result: Issued };
};

type Step = OutsideStep<Ask, Ask, Issued>;

const issued =
  (what: 'tickets' | 'seat-maps'): Step['send'] =>
  async ({ office, seat }, sending) =>
    (await asked(`${office}/${what}`, { seat }, sending)) as Issued;

/** The office voids by the key of the request, so the undo need not know whether anything was issued. */
const voided: NonNullable<Step['undo']> = async ({ office }, _result, undoing) => {
  await asked(`${office}/voids`, { key: undoing.stepKey }, undoing);
};

export const ticket: Step = { request: (input) => input, send: issued('tickets'), undo: voided };

/**
 * A ticket that the office does not take back. The office cannot be asked what it has issued: whoever has it on the
 * telephone is believed.
 */
export const finalTicket: Step = { request: ticket.request, send: ticket.send, check: async (said) => said };

/** A nicety: if the office fails at it we do not ask again, and never learn whether it was drawn. */
export const seatMap: Step = {
  request: (input) => input,
  async send(request, sending) {
    try {
      return await issued('seat-maps')(request, sending);
    } catch (error) {
      if (error instanceof Failed) throw ApplicationFailure.nonRetryable(error.message, 'office-failed');
      throw error;
    }
  },
  undo: voided,
};

/** The office answered that it failed, but not whether anything happened. */
class Failed extends Doubtful {}

async function asked(url: string, body: unknown, { key, timeout, signal }: Sending): Promise<unknown> {
  const response = await fetch(url, {
    method: 'POST',
    headers: { 'content-type': 'application/json', 'idempotency-key': key },
    body: JSON.stringify(body),
    signal: AbortSignal.any([signal, AbortSignal.timeout(timeout)]),
  });
  const answer = (await response.json()) as { readonly reason?: string };
  if (response.status === 409)
    throw new Refused({ code: 'out-of-stock', detail: `The office refuses: ${answer.reason}` });
  if (response.status >= 500) throw new Failed(`The office failed with ${response.status}`);
  if (!response.ok) throw new Doubtful(`The office answered ${response.status}: ${answer.reason}`);
  return answer;
}
