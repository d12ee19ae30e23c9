/** One layer by itself: what it sets and removes in which order, what is wrong with it in words, and what of it is kept secret. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { readTree, secretsOf, type Layer } from '../../agent/config/layer.js';
import type { Reading } from '../../agent/config/reading.js';
import type { Remote } from '../../agent/config/remote.js';
import type { Row } from '../../agent/config/row.js';
import { rowOf, rows } from '../../agent/config/settings.js';

const FILE = 'makercast.yml';
const read = (values: unknown, more: Partial<Layer> = {}, table?: readonly Row[]): Reading =>
  readTree({ name: FILE, values, ...more }, table);

const remote = (kind: Remote['kind'], kept?: true): Partial<Layer> => ({
  remote: { kind, locked: [], dataFolder: '/data', ...(kept ? { kept } : {}) },
});

/** `path=value`, `-path` for a removal. */
const steps = (reading: Reading): string[] =>
  reading.steps.map((step) => ('remove' in step ? `-${step.remove}` : `${step.path}=${JSON.stringify(step.value)}`));
const messages = (reading: Reading): string[] => reading.problems.map(({ message }) => message);
const hidden = (where: string, what: string, allowed: string): string =>
  `${where} in ${FILE}: ${what}; given: (hidden); allowed: ${allowed}`;

const fieldsOf = (section: string): string =>
  rows.flatMap(({ path }) => (path.startsWith(`${section}.`) ? [path.split('.').at(-1)!] : [])).join(', ');
const sections = [...new Set(rows.map(({ path }) => path.split('.')[0]!))]
  .filter((name) => name !== 'outputs')
  .join(', ');

describe('a layer that is right', () => {
  test('gives its values in its own order, with its name', () => {
    const reading = read({
      audio: { mute: true },
      outputs: { b: { url: 'x' }, a: { enabled: false } },
      video: { fps: 1 },
    });
    assert.deepEqual(reading.steps, [
      { path: 'audio.mute', value: true, layer: FILE, name: 'audio.mute' },
      { path: 'outputs.b.url', value: 'x', layer: FILE, name: 'outputs.b.url' },
      { path: 'outputs.a.enabled', value: false, layer: FILE, name: 'outputs.a.enabled' },
      { path: 'video.fps', value: 1, layer: FILE, name: 'video.fps' },
    ]);
    const { problems, warnings, broken, secrets, ignored } = reading;
    assert.deepEqual([problems, warnings, broken, secrets, ignored], [[], [], [], [], []]);
  });

  test('removes with null what lies below: a field, a section, an output, all outputs', () => {
    const reading = read({ video: { fps: null }, audio: null, outputs: { a: null, b: { key: null } } });
    assert.deepEqual(steps(reading), ['-video.fps', '-audio', '-outputs.a', '-outputs.b.key']);
    assert.deepEqual(steps(read({ outputs: null })), ['-outputs']);
    assert.deepEqual([steps(read(null)), steps(read(undefined))], [[], []]);
  });

  test('says nothing of what is undefined', () => {
    const reading = read({
      video: { fps: undefined },
      audio: undefined,
      outputs: { a: undefined, b: { key: undefined } },
    });
    assert.deepEqual([steps(reading), reading.problems], [[], []]);
    assert.deepEqual(read({ outputs: undefined }).problems, []);
  });
});

test('a layer that cannot be read is broken as a whole, whatever else it holds', () => {
  const reading = read({ video: { fps: 25 } }, { unreadable: 'line 3 is not YAML' });
  assert.deepEqual(reading.broken, ['']);
  assert.deepEqual(reading.steps, []);
  assert.deepEqual(reading.problems, [
    {
      ...{ path: '(everything)', code: 'settings_unreadable', given: '(hidden)', layer: FILE },
      allowed: 'a readable YAML file',
      message: hidden('(everything)', 'line 3 is not YAML', 'a readable YAML file'),
    },
  ]);
});

describe('what should be a map and is none', () => {
  const broken: [values: unknown, path: string, allowed: string][] = [
    ['text', '', 'a map of sections'],
    [[], '', 'a map of sections'],
    [false, '', 'a map of sections'],
    [{ video: 5 }, 'video', `a map of ${fieldsOf('video')}`],
    [{ slate: [] }, 'slate', 'a map of text, image'],
    [{ outputs: 'x' }, 'outputs', 'a map of outputs by name'],
    [{ outputs: { a: [] } }, 'outputs.a', 'a map of url, key, enabled, adaptive, tlsVerify'],
  ];
  for (const [values, path, allowed] of broken) {
    test(`is a problem, and all below it unknown: ${JSON.stringify(values)}`, () => {
      const reading = read(values);
      assert.deepEqual(reading.broken, [path]);
      assert.deepEqual(messages(reading), [hidden(path || '(everything)', 'not a map', allowed)]);
      assert.equal(reading.problems[0]!.code, 'setting_type');
      assert.deepEqual([reading.steps, reading.ignored], [[], []]);
    });

    test(`is set aside where it was kept: ${JSON.stringify(values)}`, () => {
      const reading = read(values, remote('device', true));
      assert.deepEqual([reading.ignored, reading.broken, reading.problems], [[path || '(everything)'], [], []]);
    });
  }

  test('is a problem for a group too', () => {
    const reading = read({ video: 5 }, remote('group'));
    assert.deepEqual([reading.broken, reading.problems.length, reading.ignored], [['video'], 1, []]);
  });
});

describe('the name of an output', () => {
  const rule = 'a lower-case letter, then at most 31 lower-case letters, digits or _';
  const bad: [name: string, shown: string][] = [
    ['Main', 'outputs.Main'],
    ['1st', 'outputs.(hidden)'],
    ['constructor', 'outputs.constructor'],
    ['a'.repeat(33), `outputs.${'a'.repeat(33)}`],
    ['', 'outputs.(hidden)'],
  ];
  for (const [name, shown] of bad) {
    test(`cannot be ${JSON.stringify(name)}; what stands below is not read, and hidden`, () => {
      const values = { outputs: { [name]: { url: 'rtmp://h/app/KEY', kye: 'x' }, good: { url: 'y' } } };
      const reading = read(values);
      assert.deepEqual(messages(reading), [hidden(shown, 'this cannot be the name of an output', rule)]);
      assert.equal(reading.problems[0]!.code, 'setting_range');
      assert.deepEqual(steps(reading), ['outputs.good.url="y"']);
      assert.deepEqual(reading.secrets, ['rtmp://h/app/KEY']);
      const kept = read(values, remote('page', true));
      assert.deepEqual([kept.problems, kept.ignored], [[], [shown]]);
      assert.deepEqual(steps(kept), ['outputs.good.url="y"']);
      assert.equal(read(values, remote('group')).problems.length, 1);
    });
  }

  test('may be any other, up to 32 characters', () => {
    const name = 'a'.repeat(32);
    assert.deepEqual(steps(read({ outputs: { [name]: { enabled: true } } })), [`outputs.${name}.enabled=true`]);
  });
});

describe('an unknown name', () => {
  const unknown: [values: unknown, where: string, meant: string, siblings: string][] = [
    [{ vidoe: {} }, 'vidoe', 'video', `${sections}, outputs`],
    [{ output5: {} }, 'output5', 'output', `${sections}, outputs`],
    [{ outputss: {} }, 'outputss', 'outputs', `${sections}, outputs`],
    [{ nothing_like_it: 1 }, 'nothing_like_it', '', `${sections}, outputs`],
    [{ 'a b': 1 }, '(hidden)', '', `${sections}, outputs`],
    [{ slate: { txt: 1 } }, 'slate.txt', 'slate.text', 'text, image'],
    [{ slate: { fps: 1 } }, 'slate.fps', 'video.fps', 'text, image'],
    [{ slate: { 'a b': 1 } }, 'slate.(hidden)', '', 'text, image'],
    [{ outputs: { a: { kye: 1 } } }, 'outputs.a.kye', 'outputs.a.key', fieldsOf('outputs')],
    [{ outputs: { a: { gain_db: 1 } } }, 'outputs.a.gain_db', 'audio.gainDb', fieldsOf('outputs')],
    [{ outputs: { a: { whatever: 1 } } }, 'outputs.a.whatever', '', fieldsOf('outputs')],
    [{ 'video.fps': 30 }, 'video.fps', 'fps under video:', `${sections}, outputs`],
    [{ VIDEO_FPS: 30 }, 'VIDEO_FPS', 'fps under video:', `${sections}, outputs`],
    [{ STREAM_KEY: 1 }, 'STREAM_KEY', 'outputs.main.key', `${sections}, outputs`],
    [{ 'outputs.main.url': 1 }, 'outputs.main.url', 'outputs.main.url', `${sections}, outputs`],
    [{ tlsVerify: 1 }, 'tlsVerify', '', `${sections}, outputs`],
  ];
  for (const [values, where, meant, siblings] of unknown) {
    test(`is a problem that says what was probably meant: ${JSON.stringify(values)}`, () => {
      const reading = read(values);
      const what = `unknown setting${meant === '' ? '' : `, did you mean ${meant}?`}`;
      assert.deepEqual(messages(reading), [hidden(where, what, siblings)]);
      assert.equal(reading.problems[0]!.code, 'setting_unknown');
      assert.deepEqual([reading.steps, reading.ignored], [[], []]);
      for (const lenient of [remote('group'), remote('device', true)]) {
        const aside = read(values, lenient);
        assert.deepEqual([aside.problems, aside.ignored, aside.steps], [[], [where], []]);
      }
      assert.equal(read(values, remote('device')).problems.length, 1);
    });
  }
});

describe('what stands under a wrong name', () => {
  const secrets = (value: unknown): string[] => read({ nonsense: value }).secrets;
  const long = 'x'.repeat(256);

  test('may be a key: any text of 8 to 256 characters is kept secret', () => {
    assert.deepEqual(secrets('12345678'), ['12345678']);
    assert.deepEqual(secrets('1234567'), []);
    assert.deepEqual([secrets(long), secrets(`${long}x`)], [[long], []]);
    assert.deepEqual([secrets(12345678), secrets(null), secrets(undefined)], [[], [], []]);
  });

  test('is looked into one map deep', () => {
    assert.deepEqual(secrets({ a: 'abcdefgh', b: 5, c: { d: 'too-deep-to-see' }, e: 'ijklmnop' }), [
      'abcdefgh',
      'ijklmnop',
    ]);
    assert.deepEqual(secrets(['abcdefgh', null]), ['abcdefgh']);
  });

  test('is no more than eight texts, of one name or of all', () => {
    const texts = (count: number): string[] => Array.from({ length: count }, (_, i) => `a-secret-${i}`);
    assert.deepEqual(secrets(texts(9)), texts(8));
    assert.deepEqual(secrets([1, ...texts(9)]), texts(7), 'the first eight are looked at');
    const many = Object.fromEntries(texts(10).map((text, i) => [`nonsense${i}`, text]));
    assert.deepEqual(read(many).secrets, texts(8));
    const two = { nonsense: texts(5), folly: ['b-secret-0', 'b-secret-1', 'b-secret-2', 'b-secret-3'] };
    assert.deepEqual(read(two).secrets, [...texts(5), 'b-secret-0', 'b-secret-1', 'b-secret-2']);
  });

  test('is kept secret where it is no map, too', () => {
    assert.deepEqual(read('a-key-in-a-file').secrets, ['a-key-in-a-file']);
    assert.deepEqual(read({ outputs: 'rtmp://h/a/KEY' }).secrets, ['rtmp://h/a/KEY']);
    assert.deepEqual(read({ video: 'abcdefgh' }, remote('device', true)).secrets, ['abcdefgh']);
    assert.deepEqual(read({ folly: 'abcdefgh' }, remote('group')).secrets, ['abcdefgh']);
  });
});

describe('a name of an earlier release', () => {
  const row = (path: string, more: Partial<Row>): Row => ({ ...rowOf(path)!, ...more });
  const table: Row[] = [
    row('audio.mute', { renamed: [{ path: 'audio.silent' }, { path: 'silent' }, { env: 'SILENT' }] }),
    row('audio.source', {
      renamed: [{ path: 'audio.disabled', read: (value) => (value === true ? 'none' : undefined) }],
    }),
    row('outputs.*.url', { renamed: [{ path: 'stream.url', output: 'main' }, { path: 'stream.all' }] }),
    row('log.level', {
      removed: [
        { path: 'log.verbose', remedy: 'set log.level' },
        { env: 'VERBOSE', remedy: 'none' },
      ],
    }),
    row('video.fps', { removed: [{ path: 'codec', remedy: 'take it out' }] }),
  ];
  const old = (values: unknown, more?: Partial<Layer>): Reading => read(values, more, table);

  test('gives the setting that it is called today, with a warning', () => {
    const reading = old({ audio: { silent: true } });
    assert.deepEqual(reading.steps, [{ path: 'audio.mute', value: true, layer: FILE, name: 'audio.mute' }]);
    assert.deepEqual(reading.warnings, [`audio.silent in ${FILE} is an old name: write audio.mute.`]);
    assert.deepEqual([reading.problems, reading.secrets], [[], []]);
    assert.deepEqual(steps(old({ silent: false })), ['audio.mute=false']);
    assert.deepEqual(steps(old({ audio: { silent: null } })), ['-audio.mute']);
  });

  test('is found in its own section only', () => {
    assert.equal(old({ log: { silent: true } }).problems.length, 1);
    assert.equal(old({ audio: { codec: 'x' } }).problems[0]!.code, 'setting_unknown');
  });

  test('is read as it was meant then', () => {
    assert.deepEqual(steps(old({ audio: { disabled: true } })), ['audio.source="none"']);
    assert.deepEqual(steps(old({ audio: { disabled: false } })), [], 'it said nothing');
    assert.deepEqual(steps(old({ audio: { disabled: null } })), ['-audio.source']);
  });

  test('loses against the name of today, wherever that stands, and against all before it', () => {
    assert.deepEqual(steps(old({ audio: { mute: false, silent: true } })), ['audio.mute=true', 'audio.mute=false']);
    assert.deepEqual(steps(old({ audio: { silent: true, mute: false } })), ['audio.mute=true', 'audio.mute=false']);
    const both = old({ audio: { mute: false, source: 'test', silent: true, disabled: true } });
    assert.deepEqual(steps(both), [
      'audio.source="none"',
      'audio.mute=true',
      'audio.mute=false',
      'audio.source="test"',
    ]);
  });

  test('of an output says which one it meant', () => {
    const reading = old({ 'stream.url': 'rtmp://h/app' });
    assert.deepEqual(steps(reading), ['outputs.main.url="rtmp://h/app"']);
    assert.deepEqual(reading.warnings, [`stream.url in ${FILE} is an old name: write outputs.main.url.`]);
    assert.deepEqual(steps(old({ 'stream.all': 'rtmp://h/app' })), ['outputs.*.url="rtmp://h/app"']);
  });

  test('that no longer exists is a problem that says what to do, or is set aside', () => {
    const reading = old({ log: { verbose: true }, codec: 'x' });
    assert.deepEqual(messages(reading), [
      hidden('log.verbose', 'no longer exists', 'set log.level'),
      hidden('codec', 'no longer exists', 'take it out'),
    ]);
    assert.equal(reading.problems[0]!.code, 'setting_removed');
    for (const lenient of [remote('group'), remote('device', true)]) {
      const aside = old({ log: { verbose: true }, codec: 'x' }, lenient);
      assert.deepEqual([aside.problems, aside.ignored], [[], ['log.verbose', 'codec']]);
    }
  });
});

test('from afar a layer keeps to what it may say, in the file it may say anything', () => {
  const values = { config: { locked: ['audio'] } };
  assert.deepEqual(steps(read(values)), ['config.locked=["audio"]']);
  const reading = read(values, { ...remote('device'), name: 'MQTT device' });
  assert.deepEqual([reading.steps, reading.problems[0]!.layer], [[], 'MQTT device']);
});

describe('the secrets of a value', () => {
  const of = (path: string, value: unknown, keyApart = false): string[] => [
    ...new Set(secretsOf(rowOf(path)!, value, keyApart)),
  ];

  test('are all of a key, whatever it was written as', () => {
    assert.deepEqual(of('outputs.a.key', 'name?token=12345678'), [
      'name?token=12345678',
      'name',
      'token=12345678',
      '12345678',
    ]);
    assert.deepEqual([of('outputs.a.key', 12345678), of('mqtt.password', 12n)], [['12345678'], ['12']]);
    assert.deepEqual(
      [of('outputs.a.key', true), of('outputs.a.key', ['KEY']), of('outputs.a.key', null)],
      [[], [], []],
    );
  });

  test('are what a URL holds, and its last part where the key does not stand apart', () => {
    assert.deepEqual(of('outputs.a.url', 'rtmp://u:pass@h/app/KEY'), ['u:pass', 'pass', 'KEY']);
    assert.deepEqual(of('outputs.a.url', 'rtmp://u:pass@h/app/KEY', true), ['u:pass', 'pass']);
    assert.deepEqual(of('outputs.a.url', 5), []);
  });

  test('are a password before the host of a broker', () => {
    assert.deepEqual(of('mqtt.url', 'mqtt://u:pass@h/a/KEY'), ['u:pass', 'pass']);
    assert.deepEqual(of('mqtt.url', 'mqtt://u:pa\nss@h'), ['u:pa\nss', 'pa\nss']);
    assert.deepEqual([of('mqtt.url', 'mqtt://h'), of('mqtt.username', 'me@h'), of('mqtt.url', ['x'])], [[], [], []]);
  });

  test('are none in any other setting', () => {
    assert.deepEqual([of('video.source', 'rtmp://u:pass@h/app/KEY'), of('video.fps', 30)], [[], []]);
  });
});
