import { randomBytes } from 'node:crypto';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { CreateBucketCommand, HeadBucketCommand, S3Client } from '@aws-sdk/client-s3';
import { environmentWith } from '../config.ts';
import { type Child, startChild } from './child.ts';
import type { Keeper } from './keeper.ts';
import { untilReady } from './until-ready.ts';

const region = 'us-east-1';
const bucket = 'hapax';

export type LocalS3 = {
  endpoint: string;
  region: string;
  accessKeyId: string;
  secretAccessKey: string;
  bucket: string;
  pid: number;
  ended: Promise<unknown>;
  stop(patience?: number): Promise<void>;
};

/**
 * Starts versitygw, an S3 server over plain files, on 127.0.0.1; ready when the bucket `hapax` exists. The objects and
 * the generated keys stay in `directory`, and the next start finds them there.
 */
export async function startS3(options: {
  /** versitygw, as found by `findVersitygw`. */
  binary: string;
  directory: string;
  port: number;
  logFile: string;
  keeper?: Keeper | undefined;
  /** Where it says that an object was written; it has to answer there before the server starts. */
  notices?: string;
}): Promise<LocalS3> {
  const directory = resolve(options.directory);
  const objects = join(directory, 'objects');
  await mkdir(objects, { recursive: true, mode: 0o700 });
  const keys = await ensureKeys(join(directory, 'keys.json'));
  const endpoint = `http://127.0.0.1:${options.port}`;
  const client = new S3Client({ endpoint, region, credentials: { ...keys }, forcePathStyle: true, maxAttempts: 1 });

  const start = async (metadata: readonly string[]) => {
    const child = await startChild({
      command: options.binary,
      args: [
        '--port',
        `127.0.0.1:${options.port}`,
        '--region',
        region,
        '--keep-alive',
        '--quiet',
        ...(options.notices === undefined ? [] : ['--event-webhook-url', options.notices]),
        'posix',
        ...metadata,
        objects,
      ],
      logFile: options.logFile,
      keeper: options.keeper,
      // Not on the command line, which every user of the machine can read.
      environment: environmentWith({
        ROOT_ACCESS_KEY_ID: keys.accessKeyId,
        ROOT_SECRET_ACCESS_KEY: keys.secretAccessKey,
      }),
    });
    await untilReady({
      what: 'The S3 server',
      child,
      probe: () => ensureBucket(client),
      advice: `See ${options.logFile}; another port is set by HAPAX_S3_PORT, an S3 server of your own by S3_ENDPOINT.`,
    });
    return child;
  };
  try {
    const child = await startWithMetadata(start, join(directory, 'metadata'));
    return {
      endpoint,
      region,
      ...keys,
      bucket,
      pid: child.pid,
      ended: child.ended,
      stop: (patience) => child.stop(patience),
    };
  } finally {
    client.destroy();
  }
}

/**
 * An object's metadata is stored in the file's extended attributes, and published together with its content. A file
 * system without them (some network and container ones) gets a directory of metadata files beside the objects.
 */
async function startWithMetadata(
  start: (metadata: readonly string[]) => Promise<Child>,
  sidecar: string,
): Promise<Child> {
  try {
    return await start([]);
  } catch (fault) {
    if (!(fault as Error).message.includes('xattr')) throw fault;
    await mkdir(sidecar, { recursive: true, mode: 0o700 });
    return start(['--sidecar', sidecar]);
  }
}

async function ensureKeys(file: string): Promise<{ accessKeyId: string; secretAccessKey: string }> {
  const known = await readFile(file, 'utf8').catch(() => undefined);
  if (known) return JSON.parse(known) as { accessKeyId: string; secretAccessKey: string };
  const keys = { accessKeyId: 'hapax-local', secretAccessKey: randomBytes(24).toString('base64url') };
  await writeFile(file, JSON.stringify(keys), { mode: 0o600 });
  return keys;
}

async function ensureBucket(client: S3Client): Promise<void> {
  try {
    await client.send(new HeadBucketCommand({ Bucket: bucket }));
  } catch (fault) {
    if ((fault as { name?: string }).name !== 'NotFound') throw fault;
    await client.send(new CreateBucketCommand({ Bucket: bucket }));
    await client.send(new HeadBucketCommand({ Bucket: bucket }));
  }
}
