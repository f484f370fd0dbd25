import { S3Client, type S3ClientConfig } from '@aws-sdk/client-s3';
import { seconds } from '../../../workflows/operation/duration.ts';

/** One bucket and the clients that reach it. */
export type ObjectStore = {
  /** Its address as its proof is stored: without anything that a person may have added to it. */
  readonly endpoint: string;
  readonly bucket: string;
  /** For short questions and answers. */
  readonly client: S3Client;
  /** For bytes that come as slowly as a caller sends them. */
  readonly streaming: S3Client;
  /** Signs for the address that callers see: the host is a part of a signature. */
  readonly signer: S3Client;
  close(): void;
};

type ObjectStoreSettings = {
  readonly endpoint: string;
  readonly publicEndpoint: string | undefined;
  readonly region: string;
  readonly bucket: string;
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
};

/** On one machine or in one region a connection takes milliseconds; a second means that the store is away. */
const connect = seconds(1);
/** A call with a stream cannot be repeated: if it fails, the caller has to send its bytes again. So it gets more time. */
const connectForStream = seconds(5);
/** A short call has failed after this much silence on its connection. */
const silence = seconds(5);
/** A caller may stop for this long and go on (`uploadPace`), and then nothing goes to the store either. */
const pause = seconds(30);
/** Bodies that one process streams at a time; with the SDK's own 50, as many slow telephones would block all others. */
const streams = 1_000;

/** Failures are thrown and reported by code that knows the operation. The SDK's own lines would not name it. */
const mute = (): void => undefined;
const logger = { trace: mute, debug: mute, info: mute, warn: mute, error: mute };

export function openObjectStore(settings: ObjectStoreSettings): ObjectStore {
  const { endpoint, publicEndpoint, region, bucket, accessKeyId, secretAccessKey } = settings;
  const client = (address: string, connectionTimeout: number, socketTimeout: number, maxSockets = 50): S3Client =>
    new S3Client({
      endpoint: address,
      region,
      credentials: { accessKeyId, secretAccessKey },
      forcePathStyle: true,
      // One repeat, since a connection that was kept alive may be closed under a call. Further retries are the
      // engine's.
      maxAttempts: 2,
      // Checksums are chosen by each call: the SDK's own default would be a CRC, which proves nothing about content.
      requestChecksumCalculation: 'WHEN_REQUIRED',
      requestHandler: {
        connectionTimeout,
        socketTimeout,
        httpAgent: { keepAlive: true, maxSockets },
        httpsAgent: { keepAlive: true, maxSockets },
      },
      logger,
    } satisfies S3ClientConfig);
  const clients = {
    client: client(endpoint, connect, silence),
    streaming: client(endpoint, connectForStream, pause, streams),
    signer: client(publicEndpoint ?? endpoint, connect, silence),
  };
  const { origin, pathname } = new URL(endpoint);
  return {
    endpoint: `${origin}${pathname.replace(/\/$/, '')}`,
    bucket,
    ...clients,
    close() {
      for (const each of Object.values(clients)) each.destroy();
    },
  };
}
