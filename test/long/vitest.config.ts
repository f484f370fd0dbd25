import { defineConfig } from 'vitest/config';

/** Suites that take minutes and more, on the same real servers as the others: `npm run test:long`. Each bounds its own time. */
export default defineConfig({
  test: {
    include: ['test/long/**/*.test.ts'],
    reporters: ['default', ['json', { outputFile: '.hapax/long-test-report.json' }]],
    globalSetup: 'test/support/global-setup.ts',
    pool: 'forks',
    // Each of them takes the whole machine.
    fileParallelism: false,
    testTimeout: 1_800_000,
    // The first start of all fetches the servers.
    hookTimeout: 300_000,
  },
});
