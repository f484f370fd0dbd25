import { execFile } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { gzipSync } from 'node:zlib';
import { rolldown } from 'rolldown';
import { expect, it } from 'vitest';
import { bundleSdk } from '../../workers/bundle-sdk.ts';

const entry = fileURLToPath(new URL('../../sdk/sdk.ts', import.meta.url));

/** Without uploads, minified and gzipped. Bytes. */
const largest = 12 * 1024;

it('the SDK is one module without dependencies, small enough for any page', async () => {
  const code = await bundleSdk();
  expect(code).not.toMatch(/\bimport\b|\brequire\(|process\.|Buffer\b/);
  expect(gzipSync(code).length).toBeLessThan(largest);
  const sdk = (await import(`data:text/javascript,${encodeURIComponent(code)}`)) as Record<string, unknown>;
  expect(Object.keys(sdk).toSorted()).toEqual([
    ...['EarlierActionOpen', 'asksOf', 'english', 'hapaxClient', 'localStore', 'memoryStore', 'wordsFor'],
  ]);
});

it('a page that takes one part of the SDK gets no other', async () => {
  const bundle = await rolldown({
    input: 'page',
    plugins: [
      {
        name: 'page',
        resolveId: (id) => (id === 'page' ? id : undefined),
        load: (id) => (id === 'page' ? `export { wordsFor } from ${JSON.stringify(entry)};` : undefined),
      },
    ],
  });
  const { output } = await bundle.generate({ format: 'esm', minify: true });
  await bundle.close();
  expect(output[0].code).toContain('Still trying. Please wait.');
  expect(output[0].code).not.toMatch(/idempotency-key|localStorage|fetch/);
});

it('its declarations compile for whoever takes it', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'hapax-sdk-'));
  const repository = fileURLToPath(new URL('../..', import.meta.url));
  const tsc = async (...args: readonly string[]) => {
    const run = promisify(execFile)(process.execPath, [join(repository, 'node_modules/typescript/bin/tsc'), ...args], {
      cwd: folder,
    });
    return await run.then(
      ({ stdout }) => stdout,
      ({ stdout }: { stdout: string }) => stdout,
    );
  };
  try {
    const emit = ['--noEmit', 'false', '--emitDeclarationOnly', '--declaration', '--outDir', join(folder, 'types')];
    expect(await tsc('-p', join(repository, 'sdk'), ...emit)).toBe('');
    const page = `
      import { hapaxClient } from './types/sdk/sdk.js';
      const pay = hapaxClient({ url: '', headers: () => ({}) }).action({ flow: 'a', route: 'b' });
      if (pay.state.status === 'done') pay.state.result?.order satisfies unknown;
      // @ts-expect-error -- there is no such state
      if (pay.state.status === 'over') pay.stop();
    `;
    await writeFile(join(folder, 'page.ts'), page);
    const strict = [
      '--noEmit',
      '--strict',
      '--target',
      'es2024',
      '--module',
      'esnext',
      '--moduleResolution',
      'bundler',
    ];
    expect(await tsc(...strict, '--types', '', '--lib', 'es2024,dom', join(folder, 'page.ts'))).toBe('');
  } finally {
    await rm(folder, { recursive: true });
  }
});
