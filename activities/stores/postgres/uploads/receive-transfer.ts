import type { Database, Statement } from '../database.ts';
import { type ReceivedBytes, readTransfer, type Transfer, transferOf } from './read-transfer.ts';

/**
 * These bytes are the upload's, unless it has others, is cancelled, has ended or is past its deadline. The operation's
 * row is locked, so that a PUT, a cancel and the expiry happen one after the other; it leaves `waiting` in the same
 * commit, so that a lost signal shows as an operation that runs and does nothing, which upkeep looks for.
 */
const text = `
with open as (
  select id, tenant, state from operation
  where id = $1 and state in ('claimed', 'running', 'waiting') and cancel_requested_at is null
    and (deadline > now() or $7)
  for no key update
), received as (
  insert into transfer (operation_id, tenant, outcome, method, object_key, size, sha256, sniffed_type)
  select id, tenant, 'received', $2, $3, $4, $5, $6 from open
  on conflict (operation_id) do nothing
  returning operation_id
)
select move(id, 'running', look_within => interval '2 seconds')
from open join received on operation_id = id where state in ('claimed', 'waiting')`;

function receive(operation: string, bytes: ReceivedBytes, late: boolean): Statement {
  const { method, objectKey, size, sha256, sniffedType } = bytes;
  return {
    name: 'receive_transfer',
    text,
    values: [operation, method, objectKey, size, sha256, sniffedType, late],
  };
}

/**
 * @param late whether the bytes may count after the deadline: they had been there before it
 * @returns the transfer as it then stands: these bytes count where it names their object
 */
export async function receiveTransfer(
  database: Database,
  operation: { readonly id: string; readonly tenant: string },
  bytes: ReceivedBytes,
  late = false,
): Promise<Transfer> {
  const { id, tenant } = operation;
  const rows = await database.flush(tenant, receive(id, bytes, late), readTransfer(id));
  return transferOf(rows.at(-1));
}
