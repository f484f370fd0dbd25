import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import { World } from '../support/world.ts';

describe("the README's gateway example", () => {
  let world: World;
  beforeAll(async () => {
    world = await World.create(inject('ground'), { doors: 0 });
  });
  afterAll(() => world.close());

  it('pays once, however often it runs', async () => {
    const readme = await readFile('README.md', 'utf8');
    const code = /```ts\n([\s\S]*?)```/.exec(readme)?.[1] ?? '';
    expect(code.split('\n').length).toBeLessThan(25);
    const lines: string[] = [];
    const settings = {
      databaseUrl: world.databaseUrl,
      temporalAddress: world.ground.temporalAddress,
      taskQueue: world.env.HAPAX_TASK_QUEUE,
      tenant: world.tenants.alpha,
    };
    const body = code.replaceAll("'hapax/", `'${process.cwd()}/`);
    const program = `export default async ({ databaseUrl, temporalAddress, taskQueue, tenant }, console) => {
      ${body.replace(/^import (.*) from (.*);$/gm, 'const $1 = await import($2);')}
    };`;
    const file = join(world.directory, 'example.mjs');
    await writeFile(file, program);
    const { default: run } = (await import(/* @vite-ignore */ file)) as {
      default: (settings: unknown, console: unknown) => Promise<void>;
    };
    const print = { log: (line: string) => lines.push(line), warn: () => undefined };
    await run(settings, print);
    await run(settings, print);
    expect(lines).toHaveLength(2);
    expect(lines[0]).toMatch(/^Paid 1250 by pi_/);
    expect(lines[1]).toBe(lines[0]);
    expect((await world.audit()).filter(({ type }) => type === 'payment_intent.captured')).toHaveLength(1);
  });
});
