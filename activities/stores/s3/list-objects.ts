import { listPage, type StoredObject } from './list-page.ts';
import type { ObjectStore } from './object-store.ts';

/** @returns the objects under a prefix, all pages of them */
export async function listObjects(store: ObjectStore, prefix: string): Promise<readonly StoredObject[]> {
  const found: StoredObject[] = [];
  let next: string | undefined;
  do {
    const page = await listPage(store, prefix, { next });
    found.push(...page.objects);
    next = page.next;
  } while (next !== undefined);
  return found;
}
