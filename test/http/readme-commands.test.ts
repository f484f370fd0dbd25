import { execFile, spawnSync } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import { effectsOf, paidOnce } from '../conformance/effects.ts';
import { World } from '../support/world.ts';

/** A bare container may have neither: nothing else of ours needs them. */
const typed = ['bash', 'curl'].every((command) => spawnSync(command, ['--version']).status === 0);

describe.skipIf(!typed)("the README's commands, typed as they stand", () => {
  let world: World;
  let printed: string;
  beforeAll(async () => {
    world = await World.create(inject('ground'), { media: true });
    const readme = await readFile('README.md', 'utf8');
    const commands = [...readme.matchAll(/```bash\n([\s\S]*?)```/g)].map(([, block]) => block);
    const { address } = world.doors[0] ?? expect.unreachable();
    const script = commands.join('\necho\n').replaceAll('http://127.0.0.1:8080', address);
    ({ stdout: printed } = await promisify(execFile)('bash', ['-euc', script], { timeout: 60_000 }));
  });
  afterAll(() => world.close());

  it('pay once for one key, asked twice', async () => {
    expect([...printed.matchAll(/^idempotency-status: (\w+)/gm)].map(([, how]) => how)).toEqual([
      'created',
      'replayed',
    ]);
    const [, key = ''] = /^idempotency-key: (\S+)/m.exec(printed) ?? [];
    expect(await effectsOf(world, key)).toEqual(paidOnce);
  });

  it('upload through the door, and straight to the object store', async () => {
    const states = await world.sql(
      `select o.state, t.method from hapax.operation o join hapax.transfer t on t.operation_id = o.id order by o.created_at`,
    );
    expect(states).toEqual(['door', 'presigned'].map((method) => ({ state: 'succeeded', method })));
    expect(printed.match(/"flow":"upload".*?"state":"succeeded"/g)).toHaveLength(2);
  });
});
