// Lint rules: types stay honest, and the few API calls that mislead on WebGPU stay in src/gpu.
import svelte from 'eslint-plugin-svelte';
import { defineConfig } from 'eslint/config';
import ts from 'typescript-eslint';

const READBACK_ADVICE =
  'Reading a tensor stalls the GPU and returned zeros in a worker: go through the readback functions of src/gpu.';

const noDirectReadback = [
  {
    selector: "CallExpression[callee.type='MemberExpression'][callee.property.name=/^(dataSync|arraySync|bytesSync|readSync|readToGPU)$/]",
    message: READBACK_ADVICE,
  },
  { selector: "CallExpression[callee.type='MemberExpression'][callee.property.name='data'][arguments.length=0]", message: READBACK_ADVICE },
];

const noDebugger = [{ selector: 'DebuggerStatement', message: 'Remove the debugger statement.' }];

export default defineConfig(
  { ignores: ['dist/', 'outputs/', 'node_modules/', 'public/', '.cache/', '.vitest-attachments/'] },
  { linterOptions: { reportUnusedDisableDirectives: 'error' } },
  ...ts.configs.recommended,
  ...svelte.configs['flat/recommended'],
  {
    files: ['**/*.svelte', '**/*.svelte.ts'],
    languageOptions: { parserOptions: { parser: ts.parser } },
  },
  {
    files: ['**/*.ts', '**/*.js', '**/*.svelte'],
    rules: {
      '@typescript-eslint/no-explicit-any': 'error',
      '@typescript-eslint/no-unused-vars': ['error', { argsIgnorePattern: '^_', varsIgnorePattern: '^_', caughtErrors: 'none' }],
      '@typescript-eslint/consistent-type-imports': ['error', { fixStyle: 'separate-type-imports' }],
      eqeqeq: ['error', 'always'],
      'no-eval': 'error',
      'no-implied-eval': 'error',
      'no-new-func': 'error',
      'no-var': 'error',
      'prefer-const': 'error',
      'no-console': 'error',
      'no-restricted-syntax': ['error', ...noDebugger, ...noDirectReadback],
    },
  },
  {
    // `let` in Svelte 5 is reactive through runes; the plugin's own rule knows them.
    files: ['**/*.svelte', '**/*.svelte.ts'],
    rules: { 'prefer-const': 'off', 'svelte/prefer-const': 'error' },
  },
  {
    // The one place that may touch tfjs readback.
    files: ['src/gpu/**/*.ts'],
    rules: { 'no-restricted-syntax': ['error', ...noDebugger] },
  },
  {
    // Programs for the terminal, and tests, print.
    files: ['tools/**/*.ts', 'bench/**/*.ts', 'tests/**/*.ts', '*.config.ts', '*.config.js'],
    rules: { 'no-console': 'off' },
  },
  {
    // Tests, parity checks and benchmarks compare with stock tfjs results, which data() reads.
    files: ['tests/**/*.ts', 'tools/**/*.ts', 'bench/**/*.ts'],
    rules: { 'no-restricted-syntax': ['error', ...noDebugger, noDirectReadback[0]] },
  },
);
