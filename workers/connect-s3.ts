import { type ObjectStore, openObjectStore } from '../activities/stores/s3/object-store.ts';
import type { Config } from './config.ts';

export const s3Settings = [
  'S3_ENDPOINT',
  'S3_PUBLIC_ENDPOINT',
  'S3_REGION',
  'S3_BUCKET',
  'S3_ACCESS_KEY_ID',
  'S3_SECRET_ACCESS_KEY',
] as const;

/** The bucket that this installation keeps its bytes in. */
export function connectS3(config: Pick<Config, (typeof s3Settings)[number]>): ObjectStore {
  return openObjectStore({
    endpoint: config.S3_ENDPOINT,
    publicEndpoint: config.S3_PUBLIC_ENDPOINT || undefined,
    region: config.S3_REGION,
    bucket: config.S3_BUCKET,
    accessKeyId: config.S3_ACCESS_KEY_ID,
    secretAccessKey: config.S3_SECRET_ACCESS_KEY,
  });
}
