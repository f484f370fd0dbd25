import { GetObjectCommand } from '@aws-sdk/client-s3';
import { getSignedUrl } from '@aws-sdk/s3-request-presigner';
import type { ObjectStore } from './object-store.ts';

/**
 * Signs one GET of an object, whose answer says what our own would.
 * @param lifetime milliseconds
 */
export async function presignGet(
  store: ObjectStore,
  { key, type, disposition }: { readonly key: string; readonly type: string; readonly disposition: string },
  lifetime: number,
): Promise<string> {
  const command = new GetObjectCommand({
    Bucket: store.bucket,
    Key: key,
    ResponseContentType: type,
    ResponseContentDisposition: disposition,
  });
  return await getSignedUrl(store.signer, command, { expiresIn: Math.floor(lifetime / 1_000) });
}
