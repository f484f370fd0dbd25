import { createServer } from 'node:net';
import { expect, onTestFinished, test } from 'vitest';
import { requireFreePort } from '../../workers/local/free-port.ts';

test('names the taken port, who wanted it, and the variable that chooses another one', async () => {
  const server = createServer().listen(0, '127.0.0.1');
  onTestFinished(() => void server.close());
  await new Promise((resolve) => server.once('listening', resolve));
  const { port } = server.address() as { port: number };
  await expect(requireFreePort(port, 'the S3 server', 'HAPAX_S3_PORT')).rejects.toThrow(
    `Port ${port}, wanted by the S3 server, is taken by another program: end that program, or set HAPAX_S3_PORT`,
  );
});
