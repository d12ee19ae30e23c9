/** Which documents are read, which are decided, and what is written down of them. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import {
  decisionOf,
  hashOf,
  isMap,
  readDocument,
  rejected,
  weigh,
  type Decision,
  type Document,
} from '../../agent/steering/decision.js';

const names = (count: number): Record<string, number> =>
  Object.fromEntries(Array.from({ length: count }, (_, i) => [`n${i}`, i]));

describe('a document', () => {
  const good: [what: string, value: object][] = [
    ['version and config alone', { version: 1, config: {} }],
    ['with everything', { version: 3, config: { audio: { mute: true } }, by: 'me', base: 2 }],
    ['on no version', { version: 1, config: {}, base: 0 }],
    ['by nobody', { version: 1, config: {}, by: '' }],
    ['by a long name', { version: 1, config: {}, by: 'x'.repeat(256) }],
    ['of the highest version', { version: Number.MAX_SAFE_INTEGER, config: {} }],
    ['of 300 names', { version: 1, config: names(300) }],
    ['of 300 names at all depths', { version: 1, config: { a: [names(149), { b: names(148) }], c: 'text' } }],
  ];
  for (const [what, value] of good) test(`${what} is read`, () => assert.deepEqual(readDocument(value), value));

  test('that leaves something undefined is read without it', () => {
    const read = readDocument({ version: 1, config: {}, by: undefined, base: undefined });
    assert.deepEqual(Object.keys(read), ['version', 'config']);
  });

  const whole = 'The document is malformed; allowed: a map {version, config, by?, base?, resetVersion?}';
  const few = 'The document is malformed; allowed: version, config, by, base and resetVersion, and nothing else';
  const above = 'version is malformed; allowed: a whole number above 0';
  const sections = 'config is malformed; allowed: a map of sections';
  const many = 'config is malformed; allowed: at most 300 names of sections and settings';
  const by = 'by is malformed; allowed: text of at most 256 characters';
  const base = 'base is malformed; allowed: a whole number';
  const bad: [value: unknown, path: string, message: string][] = [
    ...[null, undefined, 5, 'x', true, [], [1]].map((value): [unknown, string, string] => [value, '', whole]),
    [{ version: 1, config: {}, more: 1 }, '', few],
    [{ version: 1, config: {}, constructor: 1 }, '', few],
    ...[undefined, null, '1', 0, -1, 1.5, 2 ** 53, NaN, true].map((version): [unknown, string, string] => [
      { version, config: {} },
      'version',
      above,
    ]),
    ...[undefined, null, [], 5, 'x'].map((config): [unknown, string, string] => [
      { version: 1, config },
      'config',
      sections,
    ]),
    [{ version: 1, config: names(301) }, 'config', many],
    [{ version: 1, config: { a: [names(150), { b: names(149) }] } }, 'config', many],
    ...[null, 5, {}, 'x'.repeat(257)].map((each): [unknown, string, string] => [
      { version: 1, config: {}, by: each },
      'by',
      by,
    ]),
    ...[null, '1', -1, 0.5].map((each): [unknown, string, string] => [
      { version: 1, config: {}, base: each },
      'base',
      base,
    ]),
  ];
  for (const [value, path, message] of bad) {
    const text = JSON.stringify(value)?.slice(0, 60);
    test(`that is ${text} is refused`, () => {
      const { version } = path === '' || path === 'version' ? {} : (value as { version: number });
      const code = 'document_malformed';
      const refusal = version === undefined ? { path, code, message } : { path, code, message, version };
      assert.deepEqual(readDocument(value), refusal);
    });
  }
});

const muted = { audio: { mute: true } };
const document = (version: number, more: Partial<Document> = {}): Document => ({ version, config: muted, ...more });
const last = (version: number, more: Partial<Decision> = {}): Decision => ({
  ...decisionOf(document(version), '1.0.0'),
  status: 'applied',
  ...more,
});
const refusal = (code: string, version: number, message: string) => ({ path: 'version', code, version, message });

describe('a document beside the last one decided', () => {
  test('the first one is decided, whatever its version', () => {
    assert.equal(weigh(document(1), undefined, '1.0.0'), 'decide');
    assert.equal(weigh(document(7), undefined, '1.0.0'), 'decide');
  });

  test('a higher version is decided, a lower one is stale', () => {
    assert.equal(weigh(document(6), last(5), '1.0.0'), 'decide');
    const stale = refusal(
      'stale',
      4,
      'Version 4 is stale: the last one is 5. If that one was a mistake, add "resetVersion": true.',
    );
    assert.deepEqual(weigh(document(4), last(5), '1.0.0'), stale);
    assert.deepEqual(weigh(document(4, { base: 5 }), last(5), '1.0.0'), stale);
  });

  test('one that is far above the last is refused, since every later one would be stale', () => {
    const day = 86_400_000;
    const now = 1.8e12;
    const decide = (version: number, before: number, at?: number): unknown => {
      const answer = weigh(document(version), last(before), '1.0.0', at);
      return typeof answer === 'object' ? answer.code : answer;
    };
    const highest = Number.MAX_SAFE_INTEGER;
    assert.deepEqual([decide(highest, 5, now), decide(highest, 5)], ['version_too_high', 'decide']);
    assert.deepEqual([decide(now + day, 5, now), decide(now + day + 1, 5, now)], ['decide', 'version_too_high']);
    // A clock that is behind does not stop who counts.
    const far = now + 3 * day;
    assert.deepEqual(
      [decide(far + 1_000_000, far, now), decide(far + 1_000_001, far, now)],
      ['decide', 'version_too_high'],
    );
    assert.equal(weigh(document(highest), undefined, '1.0.0', now), 'decide');
    const message = `Version ${highest} would make every later one stale: the last one is 5; allowed: at most ${now + day}, or "resetVersion": true.`;
    assert.deepEqual(weigh(document(highest), last(5), '1.0.0', now), refusal('version_too_high', highest, message));
  });

  test('one that resets the version is decided whatever the last was, and once', () => {
    const reset = { resetVersion: true } as const;
    assert.equal(weigh(document(1, reset), last(Number.MAX_SAFE_INTEGER), '1.0.0', 0), 'decide');
    assert.equal(weigh(document(5, reset), last(5), '1.0.0', 0), 'repeated');
    assert.equal(weigh(document(5, { ...reset, config: {} }), last(5), '1.0.0', 0), 'decide');
    assert.deepEqual(
      readDocument({ version: 1, config: {}, resetVersion: true }),
      document(1, { ...reset, config: {} }),
    );
    assert.deepEqual(readDocument({ version: 1, config: {}, resetVersion: false }), document(1, { config: {} }));
  });

  test('the same version is a repetition, or a conflict where it says something else', () => {
    assert.equal(weigh(document(5), last(5), '1.0.0'), 'repeated');
    assert.equal(weigh(document(5, { by: 'other', base: 1 }), last(5), '1.0.0'), 'repeated');
    const conflict = 'Version 5 was already decided, with different content: use a higher version.';
    assert.deepEqual(weigh(document(5, { config: {} }), last(5), '1.0.0'), refusal('version_conflict', 5, conflict));
    const other = last(5, { status: 'rejected', release: '0.9.0' });
    assert.deepEqual(weigh(document(5, { config: {} }), other, '1.0.0'), refusal('version_conflict', 5, conflict));
  });

  test('one that was rejected is decided once more, by another release only', () => {
    assert.equal(weigh(document(5), last(5, { status: 'rejected' }), '2.0.0'), 'decide');
    assert.equal(weigh(document(5), last(5, { status: 'rejected' }), '1.0.0'), 'repeated');
    for (const status of ['pending', 'applied', 'rolled_back'] as const)
      assert.equal(weigh(document(5), last(5, { status }), '2.0.0'), 'repeated', status);
  });

  test('one that builds on another than the last is refused', () => {
    assert.equal(weigh(document(6, { base: 5 }), last(5), '1.0.0'), 'decide');
    const onFour = refusal(
      'base_conflict',
      6,
      'The document builds on version 4, but the last one decided is 5: build on that one.',
    );
    assert.deepEqual(weigh(document(6, { base: 4 }), last(5), '1.0.0'), onFour);
    assert.equal(weigh(document(6, { base: 0 }), undefined, '1.0.0'), 'decide');
    const onOne = refusal(
      'base_conflict',
      6,
      'The document builds on version 1, but the last one decided is 0: build on that one.',
    );
    assert.deepEqual(weigh(document(6, { base: 1 }), undefined, '1.0.0'), onOne);
  });
});

describe('what is written down', () => {
  test('of a document: that it will be tried, by whom and by which release', () => {
    const { hash, ...decision } = decisionOf(document(5, { by: 'me', base: 4 }), '1.0.0');
    const rest = { release: '1.0.0', status: 'pending', proved: false, errors: [] };
    assert.deepEqual(decision, { version: 5, by: 'me', ...rest });
    assert.equal(hash, hashOf({ version: 1, config: muted }));
    assert.deepEqual(Object.keys(decisionOf(document(5), '1.0.0')).includes('by'), false);
  });

  test('of a rejected one: every complaint, and nothing else of it', () => {
    const complaint = { path: 'video.fps', code: 'setting_range', message: 'out of range' } as const;
    const problem = { ...complaint, given: 'very-secret', layer: 'MQTT device' };
    const decision = decisionOf(document(5), '1.0.0');
    assert.deepEqual(rejected(decision, [problem, complaint]), {
      ...decision,
      status: 'rejected',
      errors: [complaint, complaint],
    });
  });
});

describe('the hash of a content', () => {
  const hash = (config: unknown): string => hashOf({ version: 1, config: config as Document['config'] });

  test('is kept on the cards of devices, so it stays what it is', () => {
    assert.equal(hash({ b: [1, 'x', null], a: { d: true, c: {} } }), 'e29ca70298a56a2d2e00d813165a598f');
    assert.match(hash({}), /^[0-9a-f]{32}$/);
  });

  test('is the same in whatever order maps are, and another one for another order of a list', () => {
    assert.equal(hash({ a: 1, b: { c: 1, d: 2 } }), hash({ b: { d: 2, c: 1 }, a: 1 }));
    assert.equal(hash({ a: [{ b: 1, c: 2 }] }), hash({ a: [{ c: 2, b: 1 }] }));
    const different = [
      ...[{}, { a: 1 }, { a: '1' }, { a: null }, { a: [] }, { a: {} }, { b: 1 }, { a: { b: 1 } }],
      ...[
        { a: [1, 2] },
        { a: [2, 1] },
        { a: ['1,2'] },
        { a: [[1, 2]] },
        { a: [{ b: 1 }] },
        { a: 1, b: 1 },
        { 'a:1,b': 1 },
      ],
    ];
    assert.equal(new Set(different.map(hash)).size, different.length);
  });

  test('goes by content, not by version, author or base', () => {
    assert.equal(hashOf(document(1)), hashOf(document(9, { by: 'me', base: 8 })));
  });
});

test('what a map is', () => {
  assert.deepEqual([{}, { a: 1 }, Object.create(null)].map(isMap), [true, true, true]);
  assert.deepEqual([null, undefined, [], 'x', 5, () => 1].map(isMap), [false, false, false, false, false, false]);
});
