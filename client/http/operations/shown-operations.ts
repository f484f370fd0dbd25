import type { OperationRecord } from '../../../activities/stores/postgres/ledger/read-operation.ts';
import type { Gateway } from '../../gateway.ts';
import type { Caller } from '../callers/caller.ts';
import { HttpProblem } from '../problems/http-problem.ts';

/**
 * The subject whose operations a caller may see; undefined means every subject. Viewers and operators are roles for
 * support staff, who see all operations of their tenant and environment.
 */
export function shownSubject({ role, subject }: Caller): string | undefined {
  return role === 'caller' ? subject : undefined;
}

/** Whether the operation was begun for the caller's own subject, or belongs to its tenant as a whole. */
export function isOwn(caller: Caller, record: OperationRecord): boolean {
  return record.keySubject === '' || record.subject === caller.subject;
}

/** An operation that the caller may not see looks like one that does not exist. */
export async function shownOperation(gateway: Gateway, caller: Caller, id: string): Promise<OperationRecord> {
  const record = await gateway.status(caller.tenant, id);
  const shown =
    record?.environment === caller.environment && (shownSubject(caller) === undefined || isOwn(caller, record));
  if (record === undefined || !shown) throw new HttpProblem('not-found', 'There is no such operation.');
  return record;
}
