/** What either side's processes are told. */
export type WorkerSettings = {
  readonly databaseUrl: string;
  readonly temporalAddress: string;
  readonly stripe: string;
  readonly taskQueue: string;
  readonly bundle: string;
};
