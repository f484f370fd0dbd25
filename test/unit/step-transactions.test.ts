import { expect, it } from 'vitest';
import { z } from 'zod';
import { unguarded } from '../../activities/engine/guard.ts';
import { rowActivities, rowStep } from '../../activities/engine/row-step.ts';
import { settleInClaim } from '../../activities/engine/settle-in-claim.ts';
import { type StatementStep, statementActivities } from '../../activities/engine/statement-step.ts';
import type { Database, Row, Statement } from '../../activities/stores/postgres/database.ts';
import type { Claim } from '../../activities/stores/postgres/ledger/claim.ts';
import type { StepCall } from '../../workflows/operation/call.ts';
import { settlementOf } from '../../workflows/operation/settlement.ts';
import { shipFlow } from '../../workflows/ship.flow.ts';

/** Notes which statements are committed together. It answers each as if the step were done. */
function recording() {
  const transactions: string[][] = [];
  const row: Row = { state: 'sent', attempt: 1, epoch: 0, done: { result: { shipmentId: 'shp_1' } } };
  const named = (statements: readonly Statement[]) => statements.map(({ name }) => name);
  const rows = (statements: readonly Statement[]) => statements.map(() => [row]);
  const flush: Database['flush'] = async (_tenant, ...statements) => {
    transactions.push(named(statements));
    return rows(statements);
  };
  const transaction: Database['transaction'] = async (_tenant, opening, work) => {
    const sent = named(opening);
    const run = async (...statements: Statement[]) => {
      sent.push(...named(statements));
      return rows(statements);
    };
    const query = async ({ text }: { readonly text: string }) => {
      sent.push(text);
      return { command: 'INSERT', rowCount: 1, oid: 0, fields: [], rows: [] };
    };
    const { value, closing } = await work({ run, query }, rows(opening));
    transactions.push([...sent, ...named(closing)]);
    return value;
  };
  return { transactions, database: { flush, transaction } as unknown as Database };
}

const id = `op_${'0'.repeat(26)}`;
const outcome = { state: 'succeeded', result: { shipmentId: 'shp_1' } } as const;
const call: StepCall = {
  operation: { id, tenant: 'alpha', environment: 'test', flow: 'ship' },
  ...{ fence: 1, step: 'request', position: 0, input: {}, carry: [], effect: 'transaction' },
  ...{ noReturn: false, irreversible: false, patience: 1_000, personAfter: 1_000 },
  settlement: settlementOf(shipFlow, 'req_1', outcome),
};

const shipped: StatementStep<object, { readonly shipmentId: string }> = {
  effect: () => ({ name: 'effect', text: 'select', values: [] }),
  result: z.object({ shipmentId: z.string() }),
  refusal: () => ({ code: 'object-unknown', detail: 'It is never refused.' }),
};

it('the statement of a step commits with its row and, at the end, with the answer', async () => {
  const { transactions, database } = recording();
  const { step } = statementActivities(database, shipped);
  expect(await step(call, unguarded)).toEqual({ result: outcome.result });
  expect(transactions).toEqual([['enter', 'begin_try', 'effect', 'settle']]);
});

it('the rows of a step commit with its row and, at the end, with the answer', async () => {
  const { transactions, database } = recording();
  const written = rowStep<object, null>({
    async run(tx) {
      await tx.query('insert into shipment default values');
      return null;
    },
  });
  expect(await rowActivities(database, written).step(call, unguarded)).toEqual({ result: null });
  expect(transactions.map((one) => one.filter((name) => name !== 'transaction_identity'))).toEqual([
    ['enter', 'begin_try', 'mark_effect', 'insert into shipment default values', 'record_result', 'settle'],
  ]);
});

it('the statement of a flow without a workflow commits with its claim, its row and the answer', async () => {
  const { transactions, database } = recording();
  const asked: Claim = {
    ...{ id, subject: 'ann', generation: 1, flowVersion: 1, fingerprint: 'f', fingerprintVersion: 1, request: {} },
    scope: { tenant: 'alpha', environment: 'test', subject: 'ann', flow: 'ship', key: 'k' },
    ...{ requestId: 'req_1', state: 'claimed', deadline: null, insert: true },
  };
  expect(await settleInClaim(database, shipFlow, shipped)(asked)).toEqual({ kind: 'settled' });
  expect(transactions).toEqual([['claim', 'open_operation', 'enter', 'begin_try', 'effect', 'settle']]);
});
