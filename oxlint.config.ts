import { defineConfig } from 'oxlint';
import { rooms } from './test/repository/rooms.ts';

const filesIn = (places: readonly string[]) => places.map((place) => (place.endsWith('/') ? `${place}**` : place));

/** Globals of Node and of browsers that workflows must do without. */
const outside = [
  { name: 'process', message: 'Workflows replay: settings come as arguments.' },
  { name: 'Buffer', message: 'Not there in the workflow sandbox; use Uint8Array.' },
  { name: 'fetch', message: 'Workflows touch nothing outside. Do it in an activity.' },
  { name: 'require', message: 'ESM only.' },
];

export default defineConfig({
  plugins: ['eslint', 'typescript', 'unicorn', 'oxc', 'import', 'node', 'promise'],
  jsPlugins: ['./test/repository/walls-plugin.ts'],
  categories: { correctness: 'error' },
  options: { typeAware: true, denyWarnings: true, reportUnusedDisableDirectives: 'error' },
  ignorePatterns: ['node_modules', '.hapax', 'dist', 'coverage'],
  rules: {
    'walls/imports': 'error',
    'typescript/no-floating-promises': 'error',
    'typescript/no-misused-promises': 'error',
    'typescript/await-thenable': 'error',
    'typescript/switch-exhaustiveness-check': [
      'error',
      { allowDefaultCaseForExhaustiveSwitch: false, considerDefaultExhaustiveForUnions: false },
    ],
    'typescript/only-throw-error': 'error',
    'typescript/no-explicit-any': 'error',
    'typescript/consistent-type-imports': ['error', { prefer: 'type-imports', fixStyle: 'inline-type-imports' }],
    'typescript/no-import-type-side-effects': 'error',
    'import/no-cycle': ['error', { ignoreTypes: false }],
    'import/no-default-export': 'error',
    'import/no-self-import': 'error',
    'node/no-process-env': 'error',
    'typescript/restrict-template-expressions': [
      'error',
      { allowNumber: true, allowBoolean: true, allowNullish: false, allow: ['Error', 'URL', 'URLSearchParams'] },
    ],
    'unicorn/no-useless-spread': 'off',
    eqeqeq: 'error',
    'no-var': 'error',
    'prefer-const': 'error',
  },
  overrides: [
    {
      files: filesIn(rooms.workflows.at),
      rules: { 'no-restricted-globals': ['error', { globals: outside, checkGlobalObject: true }] },
    },
    {
      files: filesIn(rooms.heart.at),
      rules: {
        'no-restricted-properties': [
          'error',
          { object: 'Date', property: 'now', message: 'Time is an argument of the heart.' },
          { object: 'Math', property: 'random', message: 'Randomness is an argument of the heart.' },
          { object: 'performance', property: 'now', message: 'Time is an argument of the heart.' },
        ],
      },
    },
    { files: ['workers/config.ts', 'test/**', 'vitest.config.ts'], rules: { 'node/no-process-env': 'off' } },
    { files: ['workers/**', 'test/**'], rules: { 'typescript/restrict-template-expressions': 'off' } },
    { files: ['test/**'], rules: { 'typescript/unbound-method': 'off' } },
    {
      files: ['*.config.ts', 'workflows/index.ts', 'test/flows/index.ts'],
      rules: { 'import/no-default-export': 'off' },
    },
  ],
});
