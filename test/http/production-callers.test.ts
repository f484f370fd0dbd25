import { execFile, spawnSync } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import { readClaimMapping } from '../../client/http/callers/claim-mapping.ts';
import { callerSettings, readCallers } from '../../workers/callers.ts';
import { readConfig } from '../../workers/config.ts';
import { World } from '../support/world.ts';

const typed = ['bash', 'curl', 'npm'].every((command) => spawnSync(command, ['--version']).status === 0);

async function section(): Promise<string> {
  const text = await readFile('docs/production.md', 'utf8');
  return /^## Callers\n[^]*?(?=^## |(?![^]))/m.exec(text)?.[0] ?? expect.unreachable();
}

describe.skipIf(!typed)('the commands for API keys in docs/production.md, typed as they stand', () => {
  let world: World;
  beforeAll(async () => {
    world = await World.create(inject('ground'), { env: { HAPAX_API_KEYS: 'on' }, workers: 0, upkeep: false });
  });
  afterAll(() => world.close());

  // It starts npm three times, one after the other.
  it('make a key that is let in, list it and revoke it', { timeout: 120_000 }, async () => {
    const commands = [...(await section()).matchAll(/```bash\n([\s\S]*?)```/g)].map(([, block]) => block);
    expect(commands).toHaveLength(2);
    const { address } = world.doors[0] ?? expect.unreachable();
    const script = commands.join('\necho\n').replaceAll('http://127.0.0.1:8080', address);
    const env = { ...process.env, DATABASE_URL: world.databaseUrl };
    const { stdout } = await promisify(execFile)('bash', ['-euc', script], { timeout: 120_000, env });
    expect(stdout).toContain('{"operations":[]}');
    expect(stdout).toMatch(/^hpx_test_[0-9a-f]{12} +alpha +shop +caller +valid .* web shop$/m);
    expect(stdout).toMatch(/^hpx_test_[0-9a-f]{12} was revoked at /m);
    const rows = await world.sql(`select tenant, subject, revoked_at is not null as revoked from hapax.api_key`);
    expect(rows).toEqual([{ tenant: 'alpha', subject: 'shop', revoked: true }]);
  });
});

it('the settings for JWTs in docs/production.md are taken as they stand', async () => {
  const [, ini = ''] = /```ini\n([^]*?)```/.exec(await section()) ?? [];
  const env = Object.fromEntries(
    ini
      .trim()
      .split('\n')
      .map((line) => line.split(/=(.*)/s).slice(0, 2)),
  );
  expect(() =>
    readCallers(readConfig(callerSettings, { DATABASE_URL: 'postgres://127.0.0.1:1/x', ...env })),
  ).not.toThrow();
  expect(readClaimMapping(env.HAPAX_JWT_CLAIMS)).toEqual({
    tenant: { claim: ['org_id'] },
    environment: { value: 'live' },
    subject: { claim: ['oid'] },
    role: { claim: ['app_metadata', 'hapax_role'] },
  });
});
