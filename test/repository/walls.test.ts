import { execFile } from 'node:child_process';
import { mkdir, mkdtemp, realpath, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { wallAgainst } from './rooms.ts';
import { parseSource, repository } from './source-files.ts';

/** For each room, imports that run into a wall, and look-alikes that do not. */
const tries: Readonly<Record<string, { readonly wrong: readonly string[]; readonly right: readonly string[] }>> = {
  'workflows/operation/key.ts': {
    wrong: ["import '../flows.ts';", "import { sleep } from '@temporalio/workflow';", "import 'node:crypto';"],
    right: ["import { sha256 } from '@noble/hashes/sha2.js';"],
  },
  'workflows/engine/step.ts': {
    wrong: [
      "import type { checkout } from '../checkout.ts';",
      "import { sleep } from '@temporalio/workflow';",
      "import type { Teller } from '../temporal/temporal-teller.ts';",
    ],
    right: ["import type { Carry } from '../operation/call.ts';"],
  },
  'workflows/temporal/teller.ts': {
    wrong: ["import '../checkout.ts';", "import '@temporalio/client';"],
    right: ["import { sleep } from '@temporalio/workflow';", "import { step } from '../engine/step.ts';"],
  },
  'workflows/checkout.ts': {
    wrong: [
      "import { reserve } from '../activities/orders.ts';",
      "import type { Database } from '../activities/stores/postgres/database.ts';",
      "import { readFile } from 'fs/promises';",
      "export { Pool } from 'pg';",
      "export * from 'stripe';",
      "export const late = import('../client/gateway.ts');",
      "export type Late = typeof import('../workers/config.ts');",
    ],
    right: [
      "import type { Stores } from '../activities/create-activities.ts';",
      "import { step } from './engine/step.ts';",
    ],
  },
  'activities/stores/postgres/database.ts': {
    wrong: ["import '../../orders.ts';", "import '../s3/head-object.ts';"],
    right: ["import pg from 'pg';", "import 'node:fs';"],
  },
  'activities/stores/s3/head-object.ts': {
    wrong: ["import '../../../workflows/upload.flow.ts';", "import pg from 'pg';"],
    right: ["import '@aws-sdk/client-s3';"],
  },
  'activities/stores/payments/find-payment.ts': {
    wrong: ["import '../../payments.ts';"],
    right: ["import type Stripe from 'stripe';"],
  },
  'activities/engine/run-step.ts': {
    wrong: ["import type { Stores } from '../create-activities.ts';"],
    right: ["import { Context } from '@temporalio/activity';"],
  },
  'activities/orders.ts': {
    wrong: [
      "import type { Gateway } from '../client/gateway.ts';",
      "import { Context } from '@temporalio/activity';",
      "import { sleep } from '@temporalio/workflow';",
    ],
    right: ["import { runStep } from './engine/run-step.ts';"],
  },
  'client/gateway.ts': {
    wrong: ["import '../activities/orders.ts';", "import './http/door.ts';"],
    right: ["import { Client } from '@temporalio/client';", "import './gateway/call.ts';"],
  },
  'client/uploads/uploads.ts': {
    wrong: ["import { Client } from '@temporalio/client';", "import '../http/door.ts';"],
    right: ["import '../gateway.ts';"],
  },
  'client/http/door.ts': {
    wrong: ["import '../../activities/engine/run-step.ts';", "import type { Client } from '@temporalio/client';"],
    right: ["import 'fastify';", "import '../../activities/stores/s3/head-object.ts';"],
  },
  'sdk/client.ts': {
    wrong: [
      "import { createHash } from 'crypto';",
      "import { z } from 'zod';",
      "import type { Gateway } from '../client/gateway.ts';",
      "import { checkoutFlow } from '../workflows/checkout.flow.ts';",
    ],
    right: ["import { seconds } from '../workflows/operation/duration.ts';"],
  },
  'client/anew/file.ts': { wrong: ["import { z } from 'zod';"], right: [] },
  'workers/sandbox/main.ts': { wrong: ["import '../config.ts';"], right: ["import 'node:http';"] },
  'workers/http.ts': {
    wrong: ["import { world } from '../test/support/world.ts';"],
    right: ["import '../client/http/door.ts';"],
  },
  'test/support/world.ts': { wrong: [], right: ["import pg from 'pg';", "import '../../workers/config.ts';"] },
};

type Found = { readonly code: string; readonly message: string; readonly filename: string };

let found: readonly Found[];
let scratch: string;
beforeAll(async () => {
  // Paths count from here, as they do from the root of the repository.
  scratch = await realpath(await mkdtemp(join(tmpdir(), 'hapax-walls-')));
  for (const [path, { wrong, right }] of Object.entries(tries)) {
    await mkdir(join(scratch, dirname(path)), { recursive: true });
    await writeFile(join(scratch, path), [...wrong, ...right, ''].join('\n'));
  }
  // Lint looks for its own packages where it is run.
  await symlink(join(repository, 'node_modules'), join(scratch, 'node_modules'));
  found = await lint();
});
afterAll(() => rm(scratch, { recursive: true }));

/** Lint as it is set up here, without types: scratch files import what is not there. */
async function lint(): Promise<readonly Found[]> {
  const config = join(scratch, 'oxlint.config.ts');
  const own = JSON.stringify(join(repository, 'oxlint.config.ts'));
  const plugin = JSON.stringify(join(repository, 'test/repository/walls-plugin.ts'));
  await writeFile(config, `import own from ${own};\nexport default { ...own, jsPlugins: [${plugin}], options: {} };\n`);
  const oxlint = join(repository, 'node_modules/oxlint/bin/oxlint');
  const said = await new Promise<string>((resolve) => {
    // It ends with 1 where it finds something.
    execFile(process.execPath, [oxlint, '--format', 'json', '.'], { cwd: scratch }, (_, out, err) =>
      resolve(out || err),
    );
  });
  return (JSON.parse(said) as { diagnostics: Found[] }).diagnostics.filter(({ code }) => code === 'walls(imports)');
}

it.each(Object.entries(tries))('%s runs into its walls, and into no others', (path, { wrong, right }) => {
  const walls = (lines: readonly string[]) => parseSource(path, lines.join('\n')).imports.map(wallAgainst);
  const expected = walls(wrong);
  expect(expected).toEqual(wrong.map(() => expect.stringContaining(path) as unknown));
  expect(walls(right)).toEqual(right.map(() => undefined));
  const shown = found.filter(({ filename }) => filename === path).map(({ message }) => message);
  // Lint does not show its findings in the order of their lines.
  expect(shown).toHaveLength(expected.length);
  expect(shown).toEqual(expect.arrayContaining(expected));
});
