import { createHash } from 'node:crypto';
import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import { arch, platform } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { findTemporal } from '../../workers/local/find-temporal.ts';
import { findVersitygw } from '../../workers/local/find-versitygw.ts';
import { runCommand } from '../../workers/local/run-command.ts';
import { scratch } from './scratch.ts';

const system = `${platform() === 'darwin' ? 'Darwin' : 'Linux'}_${arch() === 'x64' ? 'x86_64' : arch()}`;
const release = `versitygw_v1.8.0_${system}`;

/** An archive as the projects publish it, with a script in the place of the binary. */
async function archiveOf(directory: string, file: string): Promise<Buffer> {
  await mkdir(join(directory, file, '..'), { recursive: true });
  await writeFile(join(directory, file), '#!/bin/sh\necho fetched\n');
  await runCommand('tar', ['-czf', 'archive.tar.gz', file], { patience: 30_000, directory });
  return readFile(join(directory, 'archive.tar.gz'));
}

async function publish(files: Record<string, Buffer | string>): Promise<string> {
  const server = createServer((request, response) => {
    const file = files[request.url?.split('?')[0] ?? ''];
    response.writeHead(file === undefined ? 404 : 200).end(file);
  }).listen(0, '127.0.0.1');
  await new Promise((resolve) => server.once('listening', resolve));
  onTestFinished(() => void server.close());
  return `http://127.0.0.1:${(server.address() as { port: number }).port}`;
}

test('fetches versitygw from its release, checked by its digest, and finds it in the cache afterwards', async () => {
  const directory = await scratch();
  const archive = await archiveOf(directory, `${release}/versitygw`);
  const digest = createHash('sha256').update(archive).digest('hex');
  const download = await publish({
    '/v1.8.0/checksums.txt': `${'0'.repeat(64)}  another.tar.gz\n${digest}  ${release}.tar.gz\n`,
    [`/v1.8.0/${release}.tar.gz`]: archive,
  });
  const [cache, lines]: [string, string[]] = [join(directory, 'cache'), []];
  const find = () => findVersitygw({ path: '', cache, download, go: 'no-such-go', say: (line) => lines.push(line) });
  const binary = await find();
  expect(await runCommand(binary, [], { patience: 30_000 })).toBe('fetched\n');
  expect(await find()).toBe(binary);
  expect(lines).toHaveLength(1);
  expect(await readdir(cache)).toEqual(['versitygw-1.8.0']);
});

test('refuses an archive that is not the one its release names', async () => {
  const directory = await scratch();
  const download = await publish({
    '/v1.8.0/checksums.txt': `${'0'.repeat(64)}  ${release}.tar.gz\n`,
    [`/v1.8.0/${release}.tar.gz`]: await archiveOf(directory, `${release}/versitygw`),
  });
  const cache = join(directory, 'cache');
  const find = findVersitygw({ path: '', cache, download, go: 'no-such-go', say: () => {} });
  await expect(find).rejects.toThrow(/its releases: .* has the digest [0-9a-f]{64}, its release says 0{64}/);
  expect(await readdir(cache)).toEqual([]);
});

test("fetches the Temporal CLI where the SDK's own download service says", async () => {
  const directory = await scratch();
  const files: Record<string, Buffer | string> = { '/temporal.tar.gz': await archiveOf(directory, 'temporal') };
  const download = await publish(files);
  files['/cli/v1.9.1'] = JSON.stringify({ archiveUrl: `${download}/temporal.tar.gz`, fileToExtract: 'temporal' });
  const binary = await findTemporal({
    path: '',
    cache: join(directory, 'cache'),
    sdkCache: join(directory, 'sdk'),
    download,
    python: 'no-such-python',
    say: () => {},
  });
  expect(await runCommand(binary, [], { patience: 30_000 })).toBe('fetched\n');
});
