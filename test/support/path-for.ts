import { ownedId } from '../../workflows/operation/key.ts';

/** A documented path with the id of an operation, or of what has come of it. */
export function pathFor(path: string, operation: string): string {
  const id = path.includes('/assets/') ? ownedId('ast', operation) : operation;
  const letter = `dl_${operation.slice('op_'.length)}`;
  if (path.includes('/dead-letters/')) return path.replace('{id}', letter);
  if (path.includes('/differences/')) return path.replace('{id}', `df_${'0'.repeat(26)}`);
  if (path.includes('/webhook-endpoints/')) return path.replace('{id}', `we_${operation.slice('op_'.length)}`);
  return path.replace('{id}', id).replace('{orderId}', ownedId('ord', operation)).replace('{name}', 'thumbnails');
}
