import { mkdtemp, readdir, readFile, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it, onTestFinished } from 'vitest';
import { readConfig } from '../../workers/config.ts';
import { keptSealKeys } from '../../workers/kept-seal-keys.ts';
import { readSeals, sealSettings } from '../../workers/seals.ts';
import { keyOf } from '../support/seal-keys.ts';

const read = (environment: Record<string, string>) => readSeals(readConfig(sealSettings, environment));
const place = { tenant: 'alpha', flow: 'checkout', operation: 'op_1', field: 'email' };

it('a process that needs seal keys and has none does not start, and says how to make one', () => {
  expect(() => read({})).toThrow(/^Cannot start:\n {2}HAPAX_SEAL_KEYS is not set: .*openssl rand -base64 32/s);
});

it('a key that cannot be used is refused without being told', () => {
  expect(() => read({ HAPAX_SEAL_KEYS: 'k1:c2VjcmV0' })).toThrow(
    /^(?!.*c2VjcmV0)Cannot start:\n {2}HAPAX_SEAL_KEYS does not fit: key k1 is not 32 bytes in base64/s,
  );
});

it('a key of our own making is made once, kept, and readable by its owner alone', async () => {
  const directory = await mkdtemp(join(tmpdir(), 'hapax-keys-'));
  onTestFinished(() => rm(directory, { recursive: true }));
  const file = join(directory, 'seal-keys');
  await Promise.all([keptSealKeys(file), keptSealKeys(file)]);
  const made = await readFile(file, 'utf8');
  const sealed = read({ HAPAX_SEAL_KEYS_KEPT_IN: file }).seal('x', place);
  await keptSealKeys(file);
  expect(await readFile(file, 'utf8')).toBe(made);
  expect(read({ HAPAX_SEAL_KEYS_FILE: file }).open(sealed, place)).toBe('x');
  expect((await stat(file)).mode & 0o777).toBe(0o600);
  expect(await readdir(directory)).toEqual(['seal-keys']);
});

it('keys that somebody gives count before one of our own making', () => {
  const given = read({ HAPAX_SEAL_KEYS: `mine:${keyOf('m')}`, HAPAX_SEAL_KEYS_KEPT_IN: '/does/not/exist' });
  expect(given.seal('x', place)).toMatch(/^sealed:1:mine:/);
});
