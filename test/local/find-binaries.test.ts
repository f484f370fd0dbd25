import { execFile } from 'node:child_process';
import { chmod, mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { expect, test } from 'vitest';
import { freePorts } from '../../workers/local/free-port.ts';
import { findNatsServer } from '../../workers/local/find-nats-server.ts';
import { findTemporal } from '../../workers/local/find-temporal.ts';
import { findVersitygw } from '../../workers/local/find-versitygw.ts';
import { startTime } from '../../workers/local/process-identity.ts';
import { scratch } from './scratch.ts';

/** A machine on which nothing is installed and nothing can be reached. */
async function bareMachine() {
  const directory = await scratch();
  const [port] = await freePorts(1);
  return {
    path: join(directory, 'path'),
    cache: join(directory, 'cache'),
    sdkCache: join(directory, 'sdk'),
    download: `http://127.0.0.1:${port}`,
    python: 'no-such-python',
    go: 'no-such-go',
    say: () => {},
  };
}

async function program(path: string): Promise<string> {
  await mkdir(dirname(path), { recursive: true });
  await writeFile(path, '#!/bin/sh\n');
  await chmod(path, 0o755);
  return path;
}

test('names the variable to set and every place that was tried, when the Temporal CLI cannot be had', async () => {
  const machine = await bareMachine();
  const fault = await findTemporal(machine).catch((error: Error) => error.message);
  expect(fault).toMatch(/^The Temporal CLI is needed and was not found\. .*TEMPORAL_CLI.*TEMPORAL_ADDRESS/);
  expect(fault).toContain('TEMPORAL_CLI: not set');
  expect(fault).toContain('the PATH: not there');
  expect(fault).toContain(`the cache (${machine.cache}/temporal-`);
  expect(fault).toContain(`the Temporal SDK's cache (${machine.sdkCache}/temporal-sdk-typescript-`);
  expect(fault).toMatch(/127\.0\.0\.1:\d+: connect ECONNREFUSED/);
  expect(fault).toContain('PyPI: no-such-python is not installed');
});

test('names the variable to set and every place that was tried, when versitygw cannot be had', async () => {
  const fault = await findVersitygw(await bareMachine()).catch((error: Error) => error.message);
  expect(fault).toMatch(/^The S3 server versitygw is needed and was not found\. .*VERSITYGW.*S3_ENDPOINT/);
  expect(fault).toContain('VERSITYGW: not set');
  expect(fault).toMatch(/its releases: 127\.0\.0\.1:\d+: connect ECONNREFUSED/);
  expect(fault).toContain('Go: no-such-go is not installed');
});

test('names the variable to set, when nats-server cannot be had', async () => {
  const fault = await findNatsServer(await bareMachine()).catch((error: Error) => error.message);
  expect(fault).toMatch(/^The broker nats-server is needed and was not found\. .*NATS_SERVER.*NATS_URL/);
  expect(fault).toContain('NATS_SERVER: not set');
});

test('takes the one chosen before the PATH, the PATH before the cache, and the cache before any download', async () => {
  const machine = await bareMachine();
  const cached = await program(join(machine.cache, 'temporal-1.9.1'));
  expect(await findTemporal(machine)).toBe(cached);
  const onPath = await program(join(machine.path, 'temporal'));
  expect(await findTemporal(machine)).toBe(onPath);
  const chosen = await program(join(machine.cache, 'mine'));
  expect(await findTemporal({ ...machine, chosen })).toBe(chosen);
});

test('does not silently take another one than the one chosen', async () => {
  const machine = await bareMachine();
  await program(join(machine.path, 'versitygw'));
  const find = findVersitygw({ ...machine, chosen: '/nowhere/versitygw' });
  await expect(find).rejects.toThrow('VERSITYGW is set to /nowhere/versitygw, which is not a program that can be run');
});

test('a process that exits in the middle of a build ends the compiler, and leaves nothing of the build', async () => {
  const machine = await bareMachine();
  const go = join(machine.path, 'go');
  const compiler = join(dirname(machine.cache), 'compiler');
  await mkdir(machine.path);
  // Compiles for ever, in a process of its own, and writes where Go would.
  await writeFile(
    go,
    `#!/bin/sh
[ "$1" = version ] && exit 0
sh -c 'echo $$ > ${compiler}; n=0; while :; do mkdir -p $GOPATH/$n; n=$((n + 1)); done'
exit 0\n`,
  );
  await chmod(go, 0o755);
  const { download, cache, path } = machine;
  const script = `
    import { existsSync } from 'node:fs';
    import { findVersitygw } from './workers/local/find-versitygw.ts';
    void findVersitygw({ ...${JSON.stringify({ download, cache, path, go })}, say() {} });
    setInterval(() => existsSync(${JSON.stringify(compiler)}) && process.exit(1), 20);`;
  const ended = await new Promise<{ code: unknown }>((resolve) =>
    execFile(process.execPath, ['--input-type=module-typescript', '-e', script], { timeout: 50_000 }, (fault) =>
      resolve({ code: fault?.code }),
    ),
  );
  expect(ended).toEqual({ code: 1 });
  expect(await readdir(cache)).toEqual([]);
  const pid = Number(await readFile(compiler, 'utf8'));
  await expect.poll(() => startTime(pid)).toBeUndefined();
});
