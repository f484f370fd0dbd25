import type { Environment } from '../../workflows/operation/key.ts';

/** What every step may know of where it runs. */
export type About = {
  readonly operation: string;
  readonly tenant: string;
  readonly environment: Environment;
};
