import { CreateBucketCommand } from '@aws-sdk/client-s3';
import { type ObjectStore, openObjectStore } from '../../../activities/stores/s3/object-store.ts';
import { readConfig } from '../../../workers/config.ts';
import { workflowBundle } from '../../../workers/bundle.ts';
import { type Child, startChild } from '../../../workers/local/child.ts';
import { findVersitygw } from '../../../workers/local/find-versitygw.ts';
import { freePorts } from '../../../workers/local/free-port.ts';
import { startS3 } from '../../../workers/local/s3.ts';
import { untilReady } from '../../../workers/local/until-ready.ts';
import { sealKeys } from '../../support/seal-keys.ts';
import { findTusd } from './find-tusd.ts';
import type { Servers } from '../stack/servers.ts';

type UploadStack = {
  /** Two processes of the HTTP API. */
  readonly doors: readonly [Address, Address];
  readonly peer: Address;
  /** Undefined where it cannot be had. */
  readonly tusd: Address | undefined;
  readonly store: ObjectStore;
  /** What opens that store. */
  readonly storeSettings: Parameters<typeof openObjectStore>[0];
  stop(): Promise<void>;
};

export type Address = { readonly url: string; readonly pid: number };

/** Uploads as they run in production, and `@tus/server`, on one S3 server. */
export async function startUploadStack({ root, postgres, temporal, sandbox }: Servers): Promise<UploadStack> {
  const settings = readConfig(['VERSITYGW', 'PATH', 'HAPAX_STATE_DIRECTORY']);
  const cache = `${settings.HAPAX_STATE_DIRECTORY}/cache/bin`;
  const binary = await findVersitygw({ chosen: settings.VERSITYGW, path: settings.PATH, cache, say: console.log });
  const ports = await freePorts(8);
  const [s3Port = 0, ...others] = ports;
  const s3 = await startS3({ binary, directory: `${root}/s3`, port: s3Port, logFile: `${root}/s3.log` });
  const storeSettings = {
    ...{ endpoint: s3.endpoint, publicEndpoint: undefined, region: s3.region, bucket: s3.bucket },
    ...{ accessKeyId: s3.accessKeyId, secretAccessKey: s3.secretAccessKey },
  };
  const store = openObjectStore(storeSettings);
  for (const Bucket of ['peer', 'tusd']) await store.client.send(new CreateBucketCommand({ Bucket }));
  const environment = {
    PATH: settings.PATH,
    DATABASE_URL: postgres.url,
    TEMPORAL_ADDRESS: temporal.address,
    STRIPE_API_BASE: sandbox.url,
    STRIPE_SECRET_KEY: 'sk_test_bench',
    S3_ENDPOINT: s3.endpoint,
    S3_BUCKET: s3.bucket,
    S3_ACCESS_KEY_ID: s3.accessKeyId,
    S3_SECRET_ACCESS_KEY: s3.secretAccessKey,
    HAPAX_TASK_QUEUE: 'bench-uploads',
    HAPAX_WORKFLOW_BUNDLE: await workflowBundle(`${root}/bundle`),
    HAPAX_LOG_LEVEL: 'warn',
    HAPAX_SEAL_KEYS: sealKeys,
    HAPAX_TOKENS: 'local-alpha=alpha:test:ada',
    HAPAX_NEW_PER_MINUTE: '6000',
  };
  const children: Child[] = [];
  const start = async (script: string, index: number): Promise<Address> => {
    const port = String(others[index]);
    const url = `http://127.0.0.1:${port}`;
    const child = await startChild({
      command: process.execPath,
      args: [script],
      logFile: `${root}/uploads-${index}.log`,
      environment: { ...environment, HAPAX_HTTP_PORT: port, HAPAX_HEALTH_PORT: port, PORT: port },
    });
    children.push(child);
    await untilReady({ what: script, child, probe: () => fetch(`${url}/healthz`), advice: `See ${root}.` });
    return { url, pid: child.pid };
  };
  const startTusd = async (): Promise<Address | undefined> => {
    const command = await findTusd(settings.PATH, cache, console.log);
    if (command === undefined) return undefined;
    const port = String(others[6]);
    const url = `http://127.0.0.1:${port}`;
    const args = ['-host', '127.0.0.1', '-port', port, '-base-path', '/v1/tus/'];
    const child = await startChild({
      command,
      args: [...args, '-s3-bucket', 'tusd', '-s3-endpoint', s3.endpoint],
      logFile: `${root}/tusd.log`,
      environment: {
        AWS_REGION: s3.region,
        AWS_ACCESS_KEY_ID: s3.accessKeyId,
        AWS_SECRET_ACCESS_KEY: s3.secretAccessKey,
      },
    });
    children.push(child);
    await untilReady({ what: 'tusd', child, probe: () => fetch(`${url}/metrics`), advice: `See ${root}.` });
    return { url, pid: child.pid };
  };
  const scripts = ['http', 'http', 'operations', 'media', 'upkeep'].map((name) => `workers/${name}.ts`);
  const [one, other] = await Promise.all(scripts.map(start));
  const peer = await start('test/bench/uploads/tus-peer.ts', 5);
  const tusd = await startTusd();
  if (one === undefined || other === undefined) throw new Error('The HTTP API did not start');
  return {
    doors: [one, other],
    peer,
    tusd,
    store,
    storeSettings,
    async stop() {
      await Promise.all(children.map((child) => child.stop()));
      store.close();
      await s3.stop();
    },
  };
}
