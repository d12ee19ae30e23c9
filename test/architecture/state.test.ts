/** What counts as state that changes, each by an example. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { stateOf } from './state.js';

test('what counts as state that changes', () => {
  const state = (text: string): string[] => stateOf('a.ts', text);
  const changing = [
    'let a = 0;',
    'export let a: number | undefined;',
    'const a = new Map<string, number>();',
    'export const a = new Thing();',
    'const a: string[] = [];',
    'const a = [1, 2];',
    'const a = [] as string[];',
  ];
  for (const text of changing) assert.deepEqual(state(text), ['a'], text);
  const fixed = [
    "const a = ['b'] as const;",
    'const a: readonly string[] = [];',
    'const a: ReadonlySet<string> = new Set();',
    'const a: Readonly<Record<string, number>> = {};',
    'const a = new RegExp("b");',
    'function b(): void { let a = new Map(); a = new Map(); }',
  ];
  for (const text of fixed) assert.deepEqual(state(text), [], text);
});
