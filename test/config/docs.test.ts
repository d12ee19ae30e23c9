import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { parse } from 'yaml';
import { EXAMPLE } from '../../agent/config/reference.js';
import { resolve } from '../../agent/config/resolve.js';
import { jsonSchema } from '../../agent/config/schema.js';
import { isOutputRow, rows } from '../../agent/config/settings.js';
import { documents, stale } from '../../agent/docs.js';
import { faults } from '../../agent/errors.js';
import { root } from '../helpers/root.js';
import { accepts, type Json } from '../helpers/mqtt/schema.js';
import { settings } from './arbitraries.js';

test('the generated documentation is fresh', () => {
  assert.deepEqual(stale(root), [], 'run "npm run build" and commit the result');
});

test('every setting, variable and error is documented', () => {
  const page = documents().get('docs/settings.md') ?? '';
  for (const row of rows) {
    assert.ok(page.includes(`\`${row.path.replace('*', '<name>')}\``), row.path);
    assert.ok(page.includes(`\`${row.env.replace('*', '<NAME>')}\``), row.env);
  }
  for (const code of Object.keys(faults)) assert.ok(documents().get('docs/errors.md')?.includes(`\`${code}\``), code);
});

function problems(values: unknown): string[] {
  return resolve({ file: { name: 'f', values }, env: {} }).problems.map((problem) => problem.message);
}

test('the example of the page is valid, for the program and the schema', () => {
  const example = parse(EXAMPLE) as Json;
  assert.deepEqual(problems(example), []);
  assert.ok(accepts(jsonSchema(), example));
});

test('the schema takes what the program takes', () => {
  fc.assert(fc.property(settings, (some) => accepts(jsonSchema(), some as unknown as Json)));
});

test('for one setting at a time, schema and program agree on any value', () => {
  const row = fc.constantFrom(...rows.filter((item) => !isOutputRow(item)));
  const near = fc.oneof(
    fc.integer({ min: -3000, max: 70_000 }),
    fc.constantFrom('auto', 'bars', 'info', 'text', '', 48_000),
  );
  const value = fc.oneof(fc.jsonValue(), near, fc.double({ min: -70, max: 30, noNaN: true })) as fc.Arbitrary<Json>;
  fc.assert(
    fc.property(row, value, ({ path }, some) => {
      const [section = '', field = ''] = path.split('.');
      // "file" without files, NUL and control characters are beyond a schema of readable size.
      const texts = [some].flat().filter((item) => typeof item === 'string');
      fc.pre(some !== 'file' && !/[\p{Cc}\p{Surrogate}]/u.test(texts.join()));
      // Neither does it know which time zones there are.
      fc.pre(path !== 'updates.timezone' || typeof some !== 'string');
      const tree = { [section]: { [field]: some } };
      assert.equal(accepts(jsonSchema(), tree), problems(tree).length === 0, JSON.stringify(tree));
    }),
    { numRuns: 1500 },
  );
});

test('the schema refuses unknown names and odd outputs', () => {
  const bad: Json[] = [
    { vidoe: {} },
    { video: { fsp: 1 } },
    { outputs: { Main: {} } },
    { outputs: { constructor: {} } },
    { outputs: { main: { url: 'http://h/a/k' } } },
    { outputs: { main: { kye: 'x' } } },
    [],
    'text',
  ];
  for (const values of bad) {
    assert.ok(!accepts(jsonSchema(), values), JSON.stringify(values));
    assert.ok(problems(values).length > 0, JSON.stringify(values));
  }
});
