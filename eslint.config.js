import js from '@eslint/js';
import tseslint from 'typescript-eslint';

/** What passes the time of a test, or judges it: a sleep, one in disguise, and an assertion on this machine's clock. */
const clock = String.raw`CallExpression[callee.object.name=/^(performance|Date)$/][callee.property.name='now'], Identifier[name='tookMs']`;
const bareWaits = [
  {
    selector: "CallExpression[callee.name='setTimeout'], CallExpression[callee.property.name='setTimeout']",
    message: 'Wait for an event (test/helpers/feed.ts), or say what lasts (test/helpers/interval.ts).',
  },
  {
    selector: "CallExpression[callee.name='until'] > :first-child CallExpression[callee.object.name='performance']",
    message: 'This is a sleep: say what lasts (test/helpers/interval.ts).',
  },
  {
    selector: `CallExpression[callee.object.name='assert'] :matches(${clock})`,
    message:
      'A busy machine takes longer: give the wait a deadline, assert a ratio, or atLeast (test/helpers/interval.ts).',
  },
];

export default tseslint.config(
  { ignores: ['dist*/', '.cache/', 'node_modules/'] },
  js.configs.recommended,
  {
    files: ['**/*.ts'],
    extends: [tseslint.configs.recommended],
    languageOptions: { parserOptions: { projectService: true, tsconfigRootDir: import.meta.dirname } },
    rules: {
      '@typescript-eslint/no-floating-promises': 'error',
      '@typescript-eslint/no-misused-promises': 'error',
      '@typescript-eslint/switch-exhaustiveness-check': ['error', { considerDefaultExhaustiveForUnions: true }],
      '@typescript-eslint/consistent-type-imports': 'error',
      '@typescript-eslint/no-unused-vars': ['error', { argsIgnorePattern: '^_' }],
    },
  },
  {
    files: ['**/*.mjs', '**/*.js'],
    languageOptions: {
      globals: {
        process: 'readonly',
        console: 'readonly',
        URL: 'readonly',
        setTimeout: 'readonly',
        clearTimeout: 'readonly',
        Buffer: 'readonly',
        fetch: 'readonly',
        performance: 'readonly',
        AbortController: 'readonly',
      },
    },
  },
  {
    // Tests and benches wait for events; where time itself is the subject, test/helpers/interval.ts lets it pass.
    files: ['test/**/*.ts', 'bench/**/*.ts'],
    ignores: ['test/helpers/interval.ts', 'test/helpers/feed.ts', 'test/helpers/rtmp/server.ts'],
    rules: {
      'no-restricted-imports': [
        'error',
        {
          paths: ['timers', 'node:timers', 'timers/promises', 'node:timers/promises'].map((name) => ({
            name,
            importNames: ['setTimeout', 'setInterval', 'scheduler', 'promises', 'default'],
            message: 'Wait for an event (test/helpers/feed.ts), or say what lasts (test/helpers/interval.ts).',
          })),
        },
      ],
      'no-restricted-syntax': ['error', ...bareWaits],
    },
  },
  {
    // node:test's describe/it/test return promises that the runner awaits itself.
    files: ['test/**/*.ts'],
    rules: {
      '@typescript-eslint/no-floating-promises': [
        'error',
        {
          allowForKnownSafeCalls: [
            { from: 'package', package: 'node:test', name: ['test', 'it', 'describe', 'suite'] },
          ],
        },
      ],
    },
  },
);
