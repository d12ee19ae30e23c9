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

type Json = null | boolean | number | string | Json[] | { [key: string]: Json };

/** The keywords of JSON schema that ours uses; any other one fails the test. */
function accepts(schema: Record<string, unknown>, value: Json): boolean {
  const type = value === null ? 'null' : Array.isArray(value) ? 'array' : typeof value;
  const object = type === 'object' ? (value as Record<string, Json>) : undefined;
  return Object.entries(schema).every(([keyword, rule]) => {
    switch (keyword) {
      case '$schema':
      case 'title':
      case 'description':
      case 'default':
      case 'writeOnly':
        return true;
      case 'type':
        return [rule as string | string[]]
          .flat()
          .some((one) => one === type || (one === 'integer' && Number.isInteger(value)));
      case 'enum':
        return (rule as Json[]).includes(value);
      case 'const':
        return value === rule;
      case 'anyOf':
        return (rule as Record<string, unknown>[]).some((one) => accepts(one, value));
      case 'not':
        return !accepts(rule as Record<string, unknown>, value);
      case 'minimum':
        return typeof value !== 'number' || value >= (rule as number);
      case 'maximum':
        return typeof value !== 'number' || value <= (rule as number);
      case 'multipleOf':
        return typeof value !== 'number' || value % (rule as number) === 0;
      case 'minLength':
        return typeof value !== 'string' || value.length >= (rule as number);
      case 'maxLength':
        return typeof value !== 'string' || value.length <= (rule as number);
      case 'pattern':
        return typeof value !== 'string' || new RegExp(rule as string, 'u').test(value);
      case 'items':
        return !Array.isArray(value) || value.every((item) => accepts(rule as Record<string, unknown>, item));
      case 'maxProperties':
        return !object || Object.keys(object).length <= (rule as number);
      case 'propertyNames':
        return Object.keys(object ?? {}).every((name) => accepts(rule as Record<string, unknown>, name));
      case 'properties':
        return Object.entries(rule as Record<string, Record<string, unknown>>).every(
          ([name, sub]) => !object || !Object.hasOwn(object, name) || accepts(sub, object[name] ?? null),
        );
      case 'additionalProperties': {
        const known = Object.keys((schema['properties'] as object | undefined) ?? {});
        const more = Object.entries(object ?? {}).filter(([name]) => !known.includes(name));
        return rule === false
          ? more.length === 0
          : more.every(([, item]) => accepts(rule as Record<string, unknown>, item));
      }
      default:
        return assert.fail(`keyword ${keyword} is not known here`);
    }
  });
}

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
