import { CreateBucketCommand } from '@aws-sdk/client-s3';
import { connectS3 } from '../../workers/connect-s3.ts';
import type { Ground } from './global-setup.ts';

/** Makes a bucket on the S3 server of the ground, for one ledger alone. */
export async function createBucket({ s3 }: Ground, bucket: string): Promise<void> {
  const store = connectS3({
    S3_ENDPOINT: s3.endpoint,
    S3_PUBLIC_ENDPOINT: undefined,
    S3_REGION: 'us-east-1',
    S3_BUCKET: bucket,
    S3_ACCESS_KEY_ID: s3.accessKeyId,
    S3_SECRET_ACCESS_KEY: s3.secretAccessKey,
  });
  await store.client.send(new CreateBucketCommand({ Bucket: bucket }));
  store.close();
}
