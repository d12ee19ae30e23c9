/** The rules' own eyes: each shown a small house that is right and one that is wrong. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { circles, impurities, sourceOf, type Source } from './sources.js';

const house = (files: Readonly<Record<string, string>>): Source[] =>
  Object.entries(files).map(([file, text]) => sourceOf(file, text));
const isPure = ({ header }: Source): boolean => /\bPure\b/.test(header);
const pure = '/** Counts. Pure. */\n';

test('a clock and a log two imports below a pure file are found, with the way there', () => {
  const found = impurities(
    house({
      'a.ts': `${pure}import { b } from './b.js';\nexport const a = b;`,
      'b.ts': "/** Between. */\nimport { c } from './c.js';\nexport const b = c;",
      'c.ts': "/** Below. */\nimport winston from 'winston';\nexport const c = () => [winston, Date.now()];",
    }),
    isPure,
  );
  assert.deepEqual(found, ['a.ts -> b.ts -> c.ts imports winston', 'a.ts -> b.ts -> c.ts uses Date']);
});

test('what is pure, and types of what is not, are no impurity', () => {
  const found = impurities(
    house({
      'a.ts': [
        `${pure}import type { C } from './c.js';`,
        "import { type D } from './c.js';",
        "import { createHash } from 'node:crypto';",
        "export const a = (at: number, c: C & D): string => createHash('md5').update(new Date(at).toISOString() + c).digest('hex');",
      ].join('\n'),
      'c.ts': "/** Below. */\nimport net from 'node:net';\nexport type C = string;\nexport type D = net.Socket;",
    }),
    isPure,
  );
  assert.deepEqual(found, []);
});

for (const [what, text] of [
  ['chance', 'export const a = () => Math.random();'],
  ['the time', 'export const a = () => new Date();'],
  [
    'chance of node:crypto',
    "import { createHash, randomBytes } from 'node:crypto';\nexport const a = [createHash, randomBytes];",
  ],
  ['all of node:crypto', "import * as all from 'node:crypto';\nexport const a = all;"],
  ['a file', "import { readFileSync } from 'node:fs';\nexport const a = readFileSync;"],
  ['a file, loaded when it is needed', "export const a = () => import('node:fs');"],
  ['what another file passes on', "export * from 'node:fs';"],
] as const) {
  test(`${what} is found`, () => {
    assert.equal(impurities(house({ 'a.ts': pure + text }), isPure).length, 1);
  });
}

test('a circle is found, of types too, and a file that is reached twice is none', () => {
  const files = {
    'a.ts': "import { b } from './b.js';\nimport { d } from './d.js';\nexport const a = [b, d];",
    'b.ts': "import { c } from './c.js';\nimport { d } from './d.js';\nexport const b = [c, d];",
    'c.ts': 'export const c = 1;',
    'd.ts': 'export const d = 1;',
  };
  assert.deepEqual(circles(house(files)), []);
  const circular = { ...files, 'c.ts': "import type { a } from './a.js';\nexport const c: unknown = 1;" };
  assert.deepEqual(circles(house(circular)), [['a.ts', 'b.ts', 'c.ts']]);
});
