import { createServer } from 'node:http';
import { writeFile } from 'node:fs/promises';
import { expect, onTestFinished, test } from 'vitest';
import { runMainJob } from '../../workers/local/main-job.ts';
import { scratch } from './scratch.ts';

/** A door and a payment provider that answer whatever the test needs: the job must notice when either is wrong. */
async function stack(faults: { charges?: number; answers?: string[] } = {}) {
  const answers = [...(faults.answers ?? [])];
  let sent = false;
  const upload = () => ({
    id: 'op_upload',
    state: sent ? 'succeeded' : 'waiting',
    ...(!sent && { transfer: { method: 'PUT', url: '/bytes', headers: { 'content-type': 'image/jpeg' } } }),
  });
  const reply: Record<string, () => unknown> = {
    'POST /v1/checkouts': () => ({ id: answers.shift() ?? 'op_checkout', state: 'succeeded' }),
    'GET /_audit?operation=op_checkout': () =>
      Array.from({ length: faults.charges ?? 1 }, () => ({
        type: 'payment_intent.captured',
        amount: 2_400,
        currency: 'eur',
      })),
    'POST /v1/uploads': upload,
    'PUT /bytes': () => (sent = true),
    'GET /v1/operations/op_upload': upload,
  };
  const server = createServer((request, response) => {
    response.setHeader('hapax-workflow-id', `workflow of ${request.url}`);
    request.resume().on('end', () => response.end(JSON.stringify(reply[`${request.method} ${request.url}`]?.())));
  }).listen(0, '127.0.0.1');
  await new Promise((resolve) => server.once('listening', resolve));
  onTestFinished(() => void server.close());
  const { port } = server.address() as { port: number };
  const photograph = `${await scratch()}/photograph.jpg`;
  await writeFile(photograph, 'a photograph');
  const http = `http://127.0.0.1:${port}`;
  return { http, sandboxUrl: http, token: 'local-alpha', photograph, say: () => {} };
}

test('gives the workflows to look at when both flows happened once', async () => {
  expect(await runMainJob(await stack())).toEqual({
    checkoutWorkflow: 'workflow of /v1/checkouts',
    uploadWorkflow: 'workflow of /v1/uploads',
    faults: [],
  });
});

test('finds a fault when the card was charged twice, or not at all', async () => {
  expect((await runMainJob(await stack({ charges: 2 }))).faults).toEqual([expect.stringContaining('counts 2 charges')]);
  expect((await runMainJob(await stack({ charges: 0 }))).faults).toEqual([expect.stringContaining('counts 0 charges')]);
});

test('finds a fault when one of the three answers differs, and still does the upload', async () => {
  const answers = ['op_checkout', 'op_checkout', 'op_another'];
  const job = await runMainJob(await stack({ answers }));
  expect(job.faults).toEqual([expect.stringContaining('The three answers differ')]);
  expect(job.uploadWorkflow).toBe('workflow of /v1/uploads');
});
