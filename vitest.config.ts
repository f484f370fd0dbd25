import { defineConfig } from 'vitest/config';

/** Folders whose tests start what they need themselves, or need nothing. */
const alone = ['unit', 'sandbox', 'local', 'repository'].map((room) => `test/${room}/**/*.test.ts`);

/** Suites with commands of their own: `npm run test:compose` and `npm run test:long`. */
const apart = ['test/compose/**', 'test/long/**'];

const common = {
  pool: 'forks',
  // A real operation takes well under a second; a recovery from SIGKILL up to 5 s, several of them in one test.
  testTimeout: 60_000,
  // Hooks start processes, and the first start of all fetches PostgreSQL, Temporal and the S3 server.
  hookTimeout: 120_000,
  // What is waited for comes in milliseconds on an idle machine. The default of a second is too short on a busy one.
  expect: { poll: { timeout: 30_000 } },
  // Two cores carry two files; more only lengthen each other's timings.
  maxWorkers: 2,
} as const;

export default defineConfig({
  test: {
    reporters: ['default', ['json', { outputFile: '.hapax/test-report.json' }]],
    projects: [
      { test: { ...common, name: 'alone', include: alone, sequence: { groupOrder: 0 } } },
      {
        test: {
          ...common,
          name: 'stack',
          include: ['test/**/*.test.ts'],
          exclude: [...alone, ...apart],
          // Starts one stack for all files of this project, and stops it after the last.
          globalSetup: 'test/support/global-setup.ts',
          // After the others: what they would take from the processor is missing where recovery is timed.
          sequence: { groupOrder: 1 },
        },
      },
    ],
  },
});
