import { createHash } from 'node:crypto';
import { GetObjectCommand, PutObjectCommand, S3Client } from '@aws-sdk/client-s3';
import { Connection } from '@temporalio/client';
import { beforeAll, expect, onTestFinished, test } from 'vitest';
import { readConfig } from '../../workers/config.ts';
import { findTemporal } from '../../workers/local/find-temporal.ts';
import { findVersitygw } from '../../workers/local/find-versitygw.ts';
import { freePorts } from '../../workers/local/free-port.ts';
import { type LocalS3, startS3 } from '../../workers/local/s3.ts';
import { startTemporal } from '../../workers/local/temporal.ts';
import { scratch } from './scratch.ts';

const binaries = { temporal: '', versitygw: '' };

beforeAll(async () => {
  const settings = readConfig(['TEMPORAL_CLI', 'VERSITYGW', 'PATH', 'HAPAX_STATE_DIRECTORY']);
  const cache = `${settings.HAPAX_STATE_DIRECTORY}/cache/bin`;
  const common = { path: settings.PATH, cache, say: console.log };
  [binaries.temporal, binaries.versitygw] = await Promise.all([
    findTemporal({ ...common, chosen: settings.TEMPORAL_CLI }),
    findVersitygw({ ...common, chosen: settings.VERSITYGW }),
  ]);
});

test('S3 has the same keys, objects, metadata and conditions after a SIGKILL', async () => {
  const directory = await scratch();
  const [port = 0] = await freePorts(1);
  const start = () => startS3({ binary: binaries.versitygw, directory, port, logFile: `${directory}/s3.log` });
  const body = Buffer.from('once');
  const put = new PutObjectCommand({
    Bucket: 'hapax',
    Key: 'folder/object',
    Body: body,
    IfNoneMatch: '*',
    ChecksumSHA256: createHash('sha256').update(body).digest('base64'),
    Metadata: { operation: 'op_1' },
  });

  const first = await start();
  await clientOf(first).send(put);
  process.kill(first.pid, 'SIGKILL');
  await first.ended;

  const second = await start();
  onTestFinished(() => second.stop());
  await expect(clientOf(first).send(put)).rejects.toThrow('pre-conditions');
  const object = await clientOf(second).send(new GetObjectCommand({ Bucket: 'hapax', Key: 'folder/object' }));
  expect(await object.Body?.transformToString()).toBe('once');
  expect(object.Metadata).toEqual({ operation: 'op_1' });
});

test('Temporal knows the search attributes, and keeps its state over a restart', async () => {
  const directory = await scratch();
  const [port = 0] = await freePorts(1);
  const start = () =>
    startTemporal({ binary: binaries.temporal, directory, port, persist: true, logFile: `${directory}/temporal.log` });

  const first = await start();
  const namespaceId = await idOfNamespace(first.address);
  process.kill(first.pid, 'SIGKILL');
  await first.ended;

  const second = await start();
  onTestFinished(() => second.stop());
  expect(second.uiUrl).toBeUndefined();
  expect(await idOfNamespace(second.address)).toBe(namespaceId);
  const connection = await Connection.connect({ address: second.address });
  onTestFinished(() => connection.close());
  const { customAttributes } = await connection.operatorService.listSearchAttributes({ namespace: 'default' });
  expect(Object.keys(customAttributes)).toEqual(
    expect.arrayContaining(['HapaxTenant', 'HapaxFlow', 'HapaxKey', 'HapaxStep']),
  );
});

function clientOf(s3: LocalS3): S3Client {
  const client = new S3Client({
    endpoint: s3.endpoint,
    region: s3.region,
    credentials: { accessKeyId: s3.accessKeyId, secretAccessKey: s3.secretAccessKey },
    forcePathStyle: true,
  });
  onTestFinished(() => client.destroy());
  return client;
}

async function idOfNamespace(address: string): Promise<unknown> {
  const connection = await Connection.connect({ address });
  const { namespaceInfo } = await connection.workflowService.describeNamespace({ namespace: 'default' });
  await connection.close();
  return namespaceInfo?.id;
}
