import { expect, it } from 'vitest';
import type { OperationRecord } from '../../activities/stores/postgres/ledger/read-operation.ts';
import { describeOperation } from '../../client/http/operations/describe-operation.ts';
import { bookingConfirmedFlow } from '../flows/booking/booking.flow.ts';

const at = new Date('2026-01-02T03:04:05Z');

function waitOf(state: OperationRecord['state'], step: 'sent' | 'done') {
  const settledAt = ['expired', 'succeeded'].includes(state) ? at : null;
  const row = { name: 'confirmation', state: step, attempts: 1, epoch: 1, refusal: null, sentAt: at, endedAt: null };
  const shown = describeOperation(
    bookingConfirmedFlow,
    {
      ...{
        id: 'op_1',
        flow: 'bookingConfirmed',
        key: 'k',
        generation: 1,
        state,
        settledAt,
        refusal: null,
        result: null,
      },
      ...{ createdAt: at, resolutions: [], trouble: null, cancelRequestedAt: null, deadline: at },
      steps: [
        { ...row, name: 'hold', state: 'done', result: null },
        { ...row, result: step === 'done' ? { reference: 'bank-1' } : null },
      ],
    } as unknown as OperationRecord,
    { role: 'viewer' },
  );
  const { state: shownAs, result } = shown.steps.find(({ name }) => name === 'confirmation') ?? expect.unreachable();
  return [shownAs, result, 'expiresAt' in shown];
}

it('shows a wait as waiting, lapsed or done, and until when only while it waits', () => {
  expect(waitOf('waiting', 'sent')).toEqual(['waiting', undefined, true]);
  expect(waitOf('compensating', 'sent')).toEqual(['lapsed', undefined, false]);
  expect(waitOf('expired', 'sent')).toEqual(['lapsed', undefined, false]);
  expect(waitOf('running', 'done')).toEqual(['done', { reference: 'bank-1' }, false]);
});
