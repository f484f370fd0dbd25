import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import { HeadBucketCommand, S3Client } from '@aws-sdk/client-s3';
import { given } from '../config.ts';
import { findVersitygw } from './find-versitygw.ts';
import { relayNotices } from './s3-notices.ts';
import { startS3 } from './s3.ts';
import { reachable, type Service } from './service.ts';
import type { Context } from './stack-context.ts';

/** The S3 server: a person's own with its bucket, or versitygw. */
export async function provideS3(context: Context): Promise<Service> {
  const { settings, keeper, say } = context;
  const own = given('S3_ENDPOINT');
  if (own) {
    await reachable('S3_ENDPOINT', 'the S3 server', () => headBucket(own));
    return { environment: {}, addresses: { S3: own } };
  }
  const binary = await findVersitygw({ chosen: settings.VERSITYGW, path: settings.PATH, cache: context.cache, say });
  const directory = join(context.directory, 's3');
  const secret = given('HAPAX_S3_WEBHOOK_SECRET') ?? randomBytes(24).toString('base64url');
  const notices = await relayNotices(`http://127.0.0.1:${settings.HAPAX_HTTP_PORT}`, secret);
  const s3 = await context.run('s3', 'services', (logFile) =>
    startS3({ binary, directory, port: settings.HAPAX_S3_PORT, logFile, keeper, notices }),
  );
  return {
    environment: {
      S3_ENDPOINT: s3.endpoint,
      S3_REGION: s3.region,
      S3_BUCKET: s3.bucket,
      S3_ACCESS_KEY_ID: s3.accessKeyId,
      S3_SECRET_ACCESS_KEY: s3.secretAccessKey,
      HAPAX_S3_WEBHOOK_SECRET: secret,
    },
    addresses: { S3: s3.endpoint, 'S3 keys': join(directory, 'keys.json') },
  };
}

async function headBucket(endpoint: string): Promise<void> {
  const bucket = given('S3_BUCKET') ?? 'hapax';
  const client = new S3Client({
    endpoint,
    region: given('S3_REGION') ?? 'us-east-1',
    forcePathStyle: true,
    maxAttempts: 1,
    credentials: { accessKeyId: given('S3_ACCESS_KEY_ID') ?? '', secretAccessKey: given('S3_SECRET_ACCESS_KEY') ?? '' },
  });
  try {
    await client.send(new HeadBucketCommand({ Bucket: bucket }));
  } catch (fault) {
    // A HEAD has no body, so the server's own words are lost: the status is all there is.
    const status = (fault as { $metadata?: { httpStatusCode?: number } }).$metadata?.httpStatusCode;
    if (status === 404) throw new Error(`it has no bucket ${bucket}: create it, or name another one in S3_BUCKET`);
    if (status === 403) throw new Error('it refuses S3_ACCESS_KEY_ID with S3_SECRET_ACCESS_KEY');
    throw fault;
  } finally {
    client.destroy();
  }
}
