import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { distance, nearest } from '../../agent/config/spelling.js';

test('counts inserted, deleted, replaced and swapped characters', () => {
  const cases: [string, string, number][] = [
    ['', '', 0],
    ['fps', 'fps', 0],
    ['fsp', 'fps', 1],
    ['fp', 'fps', 1],
    ['fpps', 'fps', 1],
    ['fbs', 'fps', 1],
    ['vidoe', 'video', 1],
    ['kitten', 'sitting', 3],
    ['', 'abc', 3],
  ];
  for (const [a, b, want] of cases) assert.equal(distance(a, b), want, `${a} ${b}`);
});

test('a limit changes nothing but what is above it', () => {
  const word = fc.string({ unit: fc.constantFrom('a', 'b', 'c'), maxLength: 8 });
  fc.assert(
    fc.property(word, word, fc.nat(4), (a, b, most) => {
      const edits = distance(a, b);
      assert.equal(distance(a, b, most), edits > most ? Infinity : edits);
      assert.equal(distance(b, a), edits);
    }),
    { numRuns: 500 },
  );
});

test('finds the nearest name, and none for a short or far word', () => {
  const names = ['source', 'files', 'bitrateKbps', 'fps'];
  assert.equal(nearest('sorce', names), 'source');
  assert.equal(nearest('bitrate_kbps', names), 'bitrateKbps');
  assert.equal(nearest('FSP', names), 'fps');
  assert.equal(nearest('abc', names), undefined);
  assert.equal(nearest('x'.repeat(10_000), names), undefined);
});
