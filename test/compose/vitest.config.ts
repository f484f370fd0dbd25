import { defineConfig } from 'vitest/config';

/** Runs docker-compose.yml on a Docker engine: `npm run test:compose`. */
export default defineConfig({
  test: {
    include: ['test/compose/**/*.test.ts'],
    reporters: ['default', ['json', { outputFile: '.hapax/test-report.json' }]],
    pool: 'forks',
    testTimeout: 60_000,
    // Images are built in a hook, and the first build fetches every package.
    hookTimeout: 120_000,
  },
});
