import type { LedgerMoves } from '../../workflows/operation/call.ts';
import type { AnyFlow } from '../../workflows/operation/flow.ts';
import { withoutHashes } from '../../workflows/operation/without-hashes.ts';
import type { Database } from '../stores/postgres/database.ts';
import { compensate } from '../stores/postgres/ledger/compensate.ts';
import { enter } from '../stores/postgres/ledger/enter.ts';
import { leave } from '../stores/postgres/ledger/leave.ts';
import { reportTrouble } from '../stores/postgres/ledger/report-trouble.ts';
import { requestCancel } from '../stores/postgres/ledger/request-cancel.ts';
import { settle } from '../stores/postgres/ledger/settle.ts';
import { take } from '../stores/postgres/ledger/take.ts';
import { followWord } from './resolved-step.ts';
import { ledgerMove } from './step-failure.ts';

/**
 * The ledger's own moves, which every flow shares.
 * @param flows those that the worker tells
 */
export function ledgerMoves(database: Database, flows: readonly AnyFlow[]): LedgerMoves {
  const byName = new Map(flows.map((flow) => [flow.name, flow]));
  return {
    take: ({ operation, run }) =>
      ledgerMove(async () => {
        const taken = await take(database, operation, run);
        const flow = byName.get(operation.flow);
        return taken.kind === 'settled' || flow === undefined
          ? taken
          : { ...taken, request: withoutHashes(flow, taken.request) };
      }),
    compensate: ({ carry, ending, ...held }) => ledgerMove(() => compensate(database, held, carry, ending)),
    settle: ({ carry, settlement, ...held }) =>
      ledgerMove(async () => {
        const { operation } = held;
        await database.flush(
          operation.tenant,
          ...enter(held, { kind: 'record' }, carry),
          settle(operation, settlement),
        );
      }),
    proceed: (held) =>
      ledgerMove(async () => {
        await database.flush(held.operation.tenant, ...enter(held, { kind: 'proceed' }));
      }),
    reportBug: ({ step, says, carry, ...held }) =>
      ledgerMove(async () => {
        await followWord(database, { ...held, step, carry });
        // No further try of the same run can mend it. Upkeep starts another run, since a fix may have been deployed.
        await reportTrouble(database, held, {
          ...{ step, says, undoing: false, nextTry: null, personAfter: 0 },
          entering: { kind: 'record' },
          carry,
        });
      }),
    leave: ({ operation }) => ledgerMove(() => leave(database, operation)),
    requestCancel: ({ operation }) =>
      ledgerMove(async () => {
        await requestCancel(database, operation.tenant, operation.id);
      }),
  };
}
