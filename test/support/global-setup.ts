import { join } from 'node:path';
import type { TestProject } from 'vitest/node';
import { workflowBundle } from '../../workers/bundle.ts';
import { migrate } from '../../workers/migrate.ts';
import { databaseNamed } from './database-named.ts';
import { type Embedded, startEmbedded } from './embedded.ts';

/** What every world of a test run shares: the servers, a migrated database to copy, the bundle of the stories. */
export type Ground = {
  readonly root: string;
  readonly postgresUrl: string;
  readonly template: string;
  readonly temporalAddress: string;
  readonly bundle: string;
  /** The program of a broker that a test may start. */
  readonly natsServer: string;
  readonly s3: { readonly endpoint: string; readonly accessKeyId: string; readonly secretAccessKey: string };
};

declare module 'vitest' {
  export interface ProvidedContext {
    ground: Ground;
  }
}

let embedded: Embedded | undefined;

export async function setup(project: TestProject): Promise<void> {
  embedded = await startEmbedded();
  project.provide('ground', await prepareGround(embedded));
}

export async function teardown(): Promise<void> {
  await embedded?.stop();
}

async function prepareGround({ root, postgres, temporal, s3, natsServer }: Embedded): Promise<Ground> {
  const template = 'hapax_template';
  const bundle = await workflowBundle(join(root, 'bundle'));
  await migrate(await databaseNamed(postgres.url, template), () => undefined);
  const { endpoint, accessKeyId, secretAccessKey } = s3;
  return {
    root,
    postgresUrl: postgres.url,
    template,
    temporalAddress: temporal.address,
    bundle,
    natsServer,
    s3: { endpoint, accessKeyId, secretAccessKey },
  };
}
