import { PutObjectCommand } from '@aws-sdk/client-s3';
import { getSignedUrl } from '@aws-sdk/s3-request-presigner';
import { operationToken, tenantToken } from './operation-token.ts';
import type { ObjectStore } from './object-store.ts';

type PromisedObject = {
  readonly key: string;
  readonly size: number;
  readonly type: string;
  /** Lower-case hex. */
  readonly sha256: string;
  readonly operation: string;
  readonly tenant: string;
};

type SignedPut = {
  readonly method: 'PUT';
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
};

/**
 * Signs one PUT of exactly these bytes: the store refuses another length, type or content, and a second write.
 * Everything is in signed headers, since servers ignore a checksum in the query.
 * @param lifetime milliseconds
 */
export async function presignPut(store: ObjectStore, object: PromisedObject, lifetime: number): Promise<SignedPut> {
  const { key, size, type, sha256, operation, tenant } = object;
  const owner = encodeURIComponent(tenant);
  const checksum = Buffer.from(sha256, 'hex').toString('base64');
  const headers = {
    'content-length': String(size),
    'content-type': type,
    'if-none-match': '*',
    'x-amz-checksum-sha256': checksum,
    [`x-amz-meta-${operationToken}`]: operation,
    [`x-amz-meta-${tenantToken}`]: owner,
  };
  const names = new Set(Object.keys(headers));
  const command = new PutObjectCommand({
    Bucket: store.bucket,
    Key: key,
    ContentLength: size,
    ContentType: type,
    ChecksumSHA256: checksum,
    IfNoneMatch: '*',
    Metadata: { [operationToken]: operation, [tenantToken]: owner },
  });
  const url = await getSignedUrl(store.signer, command, {
    expiresIn: Math.max(1, Math.floor(lifetime / 1_000)),
    unhoistableHeaders: names,
    signableHeaders: names,
  });
  return { method: 'PUT', url, headers };
}
