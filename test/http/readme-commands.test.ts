import { execFile, spawnSync } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import { effectsOf, paidOnce } from '../conformance/effects.ts';
import { World } from '../support/world.ts';

/** A bare container may have neither: nothing else of ours needs them. */
const typed = ['bash', 'curl'].every((command) => spawnSync(command, ['--version']).status === 0);

/** Each starts Node a few times, one after the other, and others share the processor. Milliseconds. */
const longest = 110_000;

async function commandsOf(file: string): Promise<string> {
  const text = await readFile(file, 'utf8');
  return [...text.matchAll(/```bash\n([\s\S]*?)```/g)].map(([, block]) => block).join('\necho\n');
}

async function run(script: string): Promise<string> {
  return (await promisify(execFile)('bash', ['-euc', script], { timeout: longest })).stdout;
}

describe.skipIf(!typed)('the commands of the documents, typed as they stand', { timeout: longest }, () => {
  let world: World;
  let printed: string;
  beforeAll(async () => {
    world = await World.create(inject('ground'), { media: true });
    const { address } = world.doors[0] ?? expect.unreachable();
    printed = await run((await commandsOf('README.md')).replaceAll('http://127.0.0.1:8080', address));
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

  it('of the uploads bring a file by tus, in two pieces, and by the draft of the IETF', async () => {
    const { address } = world.doors[0] ?? expect.unreachable();
    const answers = await run((await commandsOf('docs/uploads.md')).replaceAll('http://127.0.0.1:8080', address));
    expect(answers.match(/^HTTP\/1\.1 204/gm)).toHaveLength(2);
    expect(answers).toMatch(/^upload-complete: \?1/m);
    const ended = async () =>
      await world.sql(
        `select t.method from hapax.operation o join hapax.transfer t on t.operation_id = o.id
         where t.method in ('tus', 'resumable') and o.state = 'succeeded' order by t.method`,
      );
    await world.until('both are files', async () => (await ended()).length === 2);
  });

  it('of the sandbox are answered, and leave it without a plan', async () => {
    const commands = await commandsOf('docs/sandbox.md');
    // With -f, curl fails where the sandbox refuses.
    const script = commands
      .replaceAll('http://127.0.0.1:12111', world.sandbox.address)
      .replaceAll('curl -s', 'curl -sf');
    const answers = await run(script);
    expect(answers).toContain('"type":"payment_intent.captured"');
    expect(answers).toMatch(/"rules":\[\{[^\]]*"drop_after"/);
    expect(answers).toContain('"released":[]');
    expect(await world.sandboxControl('GET', 'faults')).toEqual({ rules: [], held: [] });
    expect(await world.sandboxControl('GET', 'settings')).toMatchObject({ clockOffsetMs: 0 });
  });
});
