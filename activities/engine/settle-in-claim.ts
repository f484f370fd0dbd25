import type { OperationRef, StepCall } from '../../workflows/operation/call.ts';
import { failure } from '../../workflows/operation/failures.ts';
import type { AnyFlow } from '../../workflows/operation/flow.ts';
import type { Refusal } from '../../workflows/operation/outcome.ts';
import { settlementOf } from '../../workflows/operation/settlement.ts';
import { Refused } from '../stores/outcomes/refused.ts';
import type { Database } from '../stores/postgres/database.ts';
import { beginStep } from '../stores/postgres/ledger/begin-step.ts';
import { type Claim, claimStatement, type InClaim, type SettleInClaim } from '../stores/postgres/ledger/claim.ts';
import { turnToCompensating } from '../stores/postgres/ledger/compensate.ts';
import { enter } from '../stores/postgres/ledger/enter.ts';
import { openOperation } from '../stores/postgres/ledger/open-operation.ts';
import { settle } from '../stores/postgres/ledger/settle.ts';
import { LedgerFault } from '../stores/postgres/ledger-fault.ts';
import type { StatementStep } from './statement-step.ts';

/** The run that an operation without a workflow is held by. */
const run = 'claim';

/**
 * Makes the one transaction of a flow without a workflow: claim, effect, record, outcome and answer. A second request with
 * the same key waits until it has ended.
 */
export function settleInClaim<Request, Result extends Readonly<Record<string, unknown>>>(
  database: Database,
  flow: AnyFlow,
  { effect, result, refusal }: StatementStep<Request, Result>,
): SettleInClaim {
  const step = Object.keys(flow.steps)[0] as string;

  const refuse = async (asked: Claim, why: Refusal): Promise<InClaim> => {
    const operation = refOf(asked);
    const hold = { operation, fence: 1 };
    const failed = { step, position: 0, attempt: 0, state: 'failed', refusal: why } as const;
    await database.flush(
      operation.tenant,
      claimStatement(asked),
      openOperation(operation, run, flow.patience),
      ...enter(hold, { kind: 'record' }, [failed]),
      turnToCompensating(operation, { state: 'refused', refusal: why }),
      settle(operation, settlementOf(flow, asked.requestId, { state: 'refused', refusal: why })),
    );
    return { kind: 'settled' };
  };

  const act = async (asked: Claim): Promise<InClaim> => {
    const operation = refOf(asked);
    const about = { operation: operation.id, tenant: operation.tenant, environment: operation.environment };
    const input = asked.request as Request;
    const opening = [
      claimStatement(asked),
      ...beginStep(callOf(flow, step, asked), asked.request),
      effect(input, { ...about, step }),
    ];
    return await database.transaction<InClaim>(operation.tenant, opening, async (tx, opened) => {
      const row = opened.at(-1)?.[0];
      const done = row?.done as { readonly result: unknown } | null | undefined;
      // Thrown, so that claim and effect are taken back together.
      if (!done) throw new Refused(await refusal(row, input, about, (...asking) => tx.run(...asking)));
      const outcome = { state: 'succeeded', result: result.parse(done.result) } as const;
      return {
        value: { kind: 'settled' },
        closing: [settle(operation, settlementOf(flow, asked.requestId, outcome), step)],
      };
    });
  };

  return async (asked) => {
    try {
      try {
        return await act(asked);
      } catch (error) {
        if (!(error instanceof Refused)) throw error;
        if (failure(error.refusal.code).stored === false) return { kind: 'not-now', refusal: error.refusal };
        return await refuse(asked, error.refusal);
      }
    } catch (error) {
      if (error instanceof LedgerFault && error.code === 'held-before') return { kind: 'taken' };
      throw error;
    }
  };
}

function refOf({ id, scope: { tenant, environment, flow } }: Claim): OperationRef {
  return { id, tenant, environment, flow };
}

/** The first step of an operation that nobody has held opens it. */
function callOf({ patience, personAfter }: AnyFlow, step: string, asked: Claim): StepCall {
  return {
    operation: refOf(asked),
    fence: 1,
    step,
    position: 0,
    input: asked.request,
    carry: [],
    effect: 'transaction',
    noReturn: false,
    irreversible: false,
    patience,
    personAfter,
    opens: run,
  };
}
