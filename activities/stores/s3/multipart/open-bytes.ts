import { objectMissing } from '../object-missing.ts';
import type { ObjectStore } from '../object-store.ts';
import type { MultipartUpload } from './abort-multipart.ts';
import { listParts } from './list-parts.ts';

/** @returns how many bytes a multipart upload holds; none where it has ended meanwhile */
export async function openBytes(store: ObjectStore, upload: MultipartUpload): Promise<number> {
  try {
    return (await listParts(store, upload)).reduce((sum, { size }) => sum + size, 0);
  } catch (error) {
    if (objectMissing(error)) return 0;
    throw error;
  }
}
