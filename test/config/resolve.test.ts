import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { parse, stringify } from 'yaml';
import { parseDestination } from '../../agent/config/destination.js';
import { readTree } from '../../agent/config/layer.js';
import { defaults, resolve, type Resolved } from '../../agent/config/resolve.js';
import type { Row } from '../../agent/config/row.js';
import { get, isOutputRow, rows, type Settings } from '../../agent/config/settings.js';
import { key, settings, telltaleKey } from './arbitraries.js';

const FILE = 'makercast.yml';

function fromFile(values: unknown, lastGood?: Settings): Resolved {
  return resolve({ file: { name: FILE, values }, env: {}, lastGood });
}

function codes(resolved: Resolved): string[] {
  return resolved.problems.map(({ path, code }) => `${path} ${code}`);
}

const MAIN = { url: 'rtmp://h/app', key: 'KEY', enabled: true, adaptive: true, tlsVerify: true };

test('the defaults are one value for each row, and valid', () => {
  const { settings: got, problems, warnings } = resolve({ env: {} });
  assert.deepEqual([problems, warnings, got.outputs], [[], [], {}]);
  for (const row of rows.filter((item) => !isOutputRow(item)))
    assert.deepEqual(get(got, row.path), row.default, row.path);
});

test('rows have distinct paths and variables, and one line of documentation', () => {
  const variables = rows.flatMap((row) => [row.env, row.alias?.env, ...(row.renamed ?? []).map((old) => old.env)]);
  const all = [...rows.map((row) => row.path), ...variables.filter((name) => name !== undefined)];
  assert.equal(new Set(all).size, all.length);
  for (const row of rows) assert.match(row.doc, /^[^\n|]+\.$/, row.path);
});

test('later layers win field by field, and the origin says which', () => {
  const { settings: got, origin } = resolve({
    file: { name: FILE, values: { video: { fps: 25, width: 640 }, outputs: { main: { url: 'rtmp://h/app' } } } },
    env: { VIDEO_FPS: '50', OUTPUT_MAIN_KEY: 'KEY', VIDEO_HEIGHT: '' },
    later: [{ name: 'page', values: { video: { width: 800 } } }],
  });
  assert.deepEqual([got.video.fps, got.video.width, got.video.height], [50, 800, 'auto']);
  assert.deepEqual(got.outputs, { main: MAIN });
  const paths = ['video.fps', 'video.width', 'video.height', 'outputs.main.url', 'outputs.main.key'];
  assert.deepEqual(
    paths.map((path) => origin[path]),
    ['environment', 'page', 'default', FILE, 'environment'],
  );
});

test('null removes a field, an output, a section or all outputs of lower layers', () => {
  const file = { name: FILE, values: { video: { fps: 25, width: 640 }, outputs: { main: MAIN, youtube: MAIN } } };
  const over = (values: unknown): Settings => resolve({ file, env: {}, later: [{ name: 'page', values }] }).settings;
  assert.equal(over({ video: { fps: null } }).video.fps, 'auto');
  assert.equal(over({ video: { fps: null } }).video.width, 640);
  assert.deepEqual(over({ video: null }).video, defaults().video);
  assert.deepEqual(Object.keys(over({ outputs: { youtube: null } }).outputs), ['main']);
  assert.deepEqual(over({ outputs: null }).outputs, {});
  assert.equal(over({ outputs: { main: { key: null, url: 'rtmp://h/a/OTHER' } } }).outputs['main']?.key, '');
  assert.deepEqual(over(null).outputs, { main: MAIN, youtube: MAIN });
});

test('an empty section, file or list is no problem', () => {
  for (const text of ['', 'video:\n', 'outputs:\n  # nothing yet\n', 'video: {files: []}', 'audio: {}']) {
    assert.deepEqual(codes(fromFile(parse(text) as unknown)), [], text);
  }
});

test('one path as text is a list of one', () => {
  assert.deepEqual(fromFile({ video: { source: 'file', files: '/a.mp4' } }).settings.video.files, ['/a.mp4']);
});

const wrong: [values: unknown, problem: string, words: RegExp][] = [
  [
    { video: { fps: 4 } },
    'video.fps setting_range',
    /out of range; given: 4; allowed: auto or a whole number from 5 to 60/,
  ],
  [{ video: { fps: 29.97 } }, 'video.fps setting_type', /given: 29.97/],
  [{ video: { fps: '30' } }, 'video.fps setting_type', /given: "30"/],
  [{ video: { fps: NaN } }, 'video.fps setting_type', /NaN/],
  [{ video: { fps: { a: 1 } } }, 'video.fps setting_type', /given: a map/],
  [{ video: { fps: [30] } }, 'video.fps setting_type', /a list of 1/],
  [{ video: { width: 641 } }, 'video.width setting_range', /an even whole number from 320 to 1920/],
  [{ video: { encoder: 'nvenc' } }, 'video.encoder setting_range', /"nvenc"; allowed: auto, .* or omxh264enc/],
  [{ video: { encoder: 5 } }, 'video.encoder setting_type', /given: 5/],
  [{ video: { loop: 'yes' } }, 'video.loop setting_type', /true or false/],
  [{ video: { source: '' } }, 'video.source setting_range', /nothing/],
  [{ video: { source: 'a\nb' } }, 'video.source setting_range', /"a\\nb"/],
  [{ video: { files: [1] } }, 'video.files setting_type', /a path, or a list/],
  [{ video: { files: ['a\0b'] } }, 'video.files setting_range', /a list of 1/],
  [{ video: { source: 'file' } }, 'video.files setting_range', /VIDEO_FILES \(video.files\).*at least one path/],
  [{ audio: { rate: 22050 } }, 'audio.rate setting_range', /44100 or 48000 \(Hz\)/],
  [{ audio: { rate: '48000' } }, 'audio.rate setting_type', /"48000"/],
  [{ video: 5 }, 'video setting_type', /not a map/],
  [[], '(everything) setting_type', /not a map/],
  ['text', '(everything) setting_type', /not a map/],
  [{ outputs: ['rtmp://h/a/KEY'] }, 'outputs setting_type', /hidden/],
  [{ outputs: { main: 'rtmp://h/a/KEY' } }, 'outputs.main setting_type', /hidden/],
  [{ outputs: { Main: MAIN } }, 'outputs.Main setting_range', /cannot be the name/],
  [{ outputs: { constructor: MAIN } }, 'outputs.constructor setting_range', /cannot be the name/],
  [{ outputs: { 'rtmp://h/a/KEY': {} } }, 'outputs.(hidden) setting_range', /cannot be the name/],
  [
    { outputs: { main: { ...MAIN, kye: 'KEY' } } },
    'outputs.main.kye setting_unknown',
    /did you mean outputs.main.key\?/,
  ],
  [{ outputs: { main: { key: 'KEY' } } }, 'outputs.main.url setting_url', /this output has no URL/],
  [{ outputs: { main: { url: 'rtmp://h', key: 'KEY' } } }, 'outputs.main.url setting_url', /no application path/],
  [{ outputs: { main: { url: 'rtmp://h/app' } } }, 'outputs.main.url setting_url', /no stream key/],
  [{ outputs: { main: { url: 'http://h/a/KEY' } } }, 'outputs.main.url setting_url', /http:\/\/h\/a\/\*\*\*/],
  [{ outputs: { main: { url: 'KEY', key: 'rtmp://h/a' } } }, 'outputs.main.url setting_url', /hidden/],
  [
    { outputs: { main: { ...MAIN, key: 12345678 } } },
    'outputs.main.key setting_type',
    /hidden.*digits alone must stand in quotes/,
  ],
  [{ outputs: { main: { ...MAIN, key: 'KEY\0' } } }, 'outputs.main.key setting_range', /hidden/],
  [{ outputs: { main: { ...MAIN, key: 'KEY\ud800' } } }, 'outputs.main.key setting_range', /hidden/],
  [{ outputs: { main: { url: 7, key: 'KEY' } } }, 'outputs.main.url setting_type', /given: 7/],
  [
    { video: { fsp: 30 } },
    'video.fsp setting_unknown',
    /did you mean video.fps\?; given: \(hidden\); allowed: source, files/,
  ],
  [{ vidoe: {} }, 'vidoe setting_unknown', /did you mean video\?/],
  [{ 'video.fps': 30 }, 'video.fps setting_unknown', /did you mean fps under video:\?/],
  [{ VIDEO_FPS: 30 }, 'VIDEO_FPS setting_unknown', /did you mean fps under video:\?/],
  [{ video: { gain_db: 3 } }, 'video.gain_db setting_unknown', /did you mean audio.gainDb\?/],
  [{ 'key:KEY x': 1 }, '(hidden) setting_unknown', /video, camera, audio/],
  [
    parse('{"__proto__": {"fps": 1}, "constructor": {"prototype": {"fps": 1}}}'),
    '__proto__ setting_unknown',
    /unknown/,
  ],
];

for (const [values, want, words] of wrong) {
  test(`refuses ${JSON.stringify(values)}`, () => {
    const resolved = fromFile(values);
    assert.equal(codes(resolved)[0], want);
    const [first] = resolved.problems;
    assert.match(first?.message ?? '', words);
    assert.ok(first?.message.includes(first.given) && first.message.includes(first.allowed));
    assert.doesNotMatch(JSON.stringify([resolved.problems, resolved.warnings]), /KEY|\\n"|12345678/);
    assert.equal(Object.hasOwn(Object.prototype, 'fps'), false);
    assert.equal(resolved.settings.video.fps, 'auto');
  });
}

test('all problems come at once, and the rest of the settings holds', () => {
  const resolved = fromFile({
    video: { fps: 1, width: 640 },
    audio: { mute: 1 },
    nonsense: 1,
    outputs: { a: {}, b: MAIN },
  });
  assert.deepEqual(codes(resolved), ['nonsense setting_unknown', 'video.fps setting_range', 'audio.mute setting_type']);
  assert.equal(resolved.settings.video.width, 640);
  assert.deepEqual(resolved.settings.outputs, { b: MAIN });
});

test('a ninth output is refused, the first eight stay', () => {
  const outputs = Object.fromEntries([...'abcdefghi'].map((name) => [name, MAIN]));
  const resolved = fromFile({ outputs });
  assert.deepEqual(codes(resolved), ['outputs.i setting_range']);
  assert.equal(Object.keys(resolved.settings.outputs).length, 8);
});

test('an output that is off needs no URL, and is left out with a warning', () => {
  const resolved = fromFile({ outputs: { main: { enabled: false } } });
  assert.deepEqual([codes(resolved), resolved.settings.outputs], [[], {}]);
  assert.match(resolved.warnings.join(), /outputs.main is off and has no URL/);
});

test('what is invalid falls back to the last good value', () => {
  const lastGood: Settings = { ...defaults(), video: { ...defaults().video, fps: 25 }, outputs: { main: MAIN } };
  const bad = { video: { fps: 1 }, outputs: { main: { url: 'rtmp://h', key: 'NEW', enabled: false } } };
  const { settings: got, origin } = fromFile(bad, lastGood);
  assert.equal(got.video.fps, 25);
  assert.deepEqual(got.outputs, { main: { ...MAIN, enabled: false } });
  assert.deepEqual([origin['video.fps'], origin['outputs.main.key']], ['last good', 'last good']);
  // A bad key must not go to the new server, nor the old key either.
  const badKey = fromFile({ outputs: { main: { url: 'rtmp://other/app', key: 5 } } }, lastGood);
  assert.deepEqual(badKey.settings.outputs, { main: MAIN });
  // What is not mentioned, or removed, is not invalid.
  assert.equal(fromFile({}, lastGood).settings.video.fps, 'auto');
  assert.deepEqual(fromFile({ outputs: { main: null } }, lastGood).settings.outputs, {});
});

test('where a map is broken, all below it falls back to the last good value', () => {
  const lastGood: Settings = { ...defaults(), video: { ...defaults().video, fps: 25 }, outputs: { main: MAIN } };
  assert.deepEqual(fromFile({ outputs: 'x' }, lastGood).settings, { ...defaults(), outputs: { main: MAIN } });
  assert.deepEqual(fromFile({ outputs: { main: [] } }, lastGood).settings.outputs, { main: MAIN });
  assert.deepEqual(fromFile('x', lastGood).settings, lastGood);
  assert.deepEqual(fromFile('x').settings, defaults());
});

test('a file that cannot be read is a problem of its own, and everything it may have said falls back', () => {
  const lastGood: Settings = { ...defaults(), outputs: { main: MAIN } };
  const file = { name: FILE, values: undefined, unreadable: 'line 3 is not YAML' };
  const resolved = resolve({ file, env: { VIDEO_FPS: '50' }, lastGood });
  assert.deepEqual(codes(resolved), ['(everything) settings_unreadable']);
  assert.match(resolved.problems[0]?.message ?? '', /makercast.yml: line 3 is not YAML/);
  assert.deepEqual(resolved.settings.outputs, { main: MAIN });
  assert.equal(resolved.settings.video.fps, 50);
});

test('last good settings of another release give what is still valid in them', () => {
  const video = { ...defaults().video, fps: 25, width: 5, former: true };
  const outputs = { main: MAIN, youtube: { ...MAIN, url: 'rtmp://h' } };
  const lastGood = { video, outputs, gone: {} } as unknown as Settings;
  const bad = { video: { fps: 'x', width: 'x' }, log: { level: 1 }, outputs: { main: 1, youtube: 1 } };
  const { settings: got } = fromFile(bad, lastGood);
  assert.deepEqual(got, { ...defaults(), video: { ...defaults().video, fps: 25 }, outputs: { main: MAIN } });
});

test('a source file without files falls back as a whole', () => {
  const video = { ...defaults().video, source: 'file', files: ['/a.mp4'] };
  assert.deepEqual(fromFile({ video: { source: 'file' } }, { ...defaults(), video }).settings.video, video);
  assert.equal(fromFile({ video: { source: 'file', files: [] } }).settings.video.source, 'auto');
  assert.deepEqual(codes(fromFile({ video: { source: 'file', files: 5 } })), ['video.files setting_type']);
});

test('what works and looks wrong is a warning', () => {
  const spaced = fromFile({ outputs: { main: { ...MAIN, key: 'KEY ' } }, video: { files: ['/a.mp4'] } });
  assert.deepEqual(codes(spaced), []);
  assert.equal(spaced.settings.outputs['main']?.key, 'KEY ');
  assert.match(spaced.warnings.join('\n'), /outputs.main.key in makercast.yml begins or ends with white space/);
  assert.match(spaced.warnings.join('\n'), /video.files in makercast.yml is not used/);
  const at = fromFile({ outputs: { main: { url: 'rtmp://u:p@ss/KEY@h/app', key: 'KEY' } } });
  assert.match(at.warnings.join(), /^outputs.main.url in makercast.yml has an @ in its path/);
  assert.doesNotMatch(at.warnings.join(), /KEY|p@ss/);
  const mixed = resolve({
    file: { name: FILE, values: { outputs: { main: MAIN } } },
    env: { STREAM_URL: 'rtmp://other/app' },
  });
  assert.match(
    mixed.warnings.join(),
    /STREAM_URL \(outputs.main.url\) is combined with the key that makercast.yml gives/,
  );
});

test('names of earlier releases work in the file, and removed ones say what to do', () => {
  const table: Row[] = rows.map((row) => {
    if (row.path === 'video.fps') return { ...row, renamed: [{ path: 'video.framerate' }] };
    if (row.path !== 'video.encoder') return row;
    return { ...row, removed: [{ path: 'codec', mend: 'take it out' }] };
  });
  const { steps, warnings, problems } = readTree(
    { name: FILE, values: { video: { framerate: 25 }, codec: 'x' } },
    table,
  );
  assert.deepEqual(steps, [{ path: 'video.fps', value: 25, layer: FILE, name: 'video.fps' }]);
  assert.deepEqual(warnings, ['video.framerate in makercast.yml is an old name: write video.fps.']);
  assert.deepEqual(
    problems.map(({ code, allowed }) => [code, allowed]),
    [['setting_removed', 'take it out']],
  );
  const both = readTree({ name: FILE, values: { video: { fps: 50, framerate: 25 } } }, table);
  assert.equal(
    both.steps.map((step) => ('value' in step ? step.value : '')).join(),
    '25,50',
    'the new name comes last',
  );
});

test('convict takes nothing from the process itself', () => {
  process.argv.push('--video.fps', '7');
  process.env['VIDEO_FPS'] = '7';
  try {
    assert.equal(fromFile({ video: { width: 640 } }).settings.video.fps, 'auto');
  } finally {
    process.argv.splice(-2);
    delete process.env['VIDEO_FPS'];
  }
});

test('valid settings round-trip, through YAML too, whatever was good before', () => {
  fc.assert(
    fc.property(settings, fc.option(settings), (wanted, lastGood) => {
      const playable = wanted.video.source !== 'file' || wanted.video.files.length > 0;
      fc.pre(playable);
      const resolved = fromFile(parse(stringify(wanted)) as unknown, lastGood ?? undefined);
      assert.deepEqual(codes(resolved), []);
      assert.deepEqual(resolved.settings, wanted);
      assert.deepEqual(fromFile(resolved.settings).settings, wanted);
      for (const { url, key: text } of Object.values(resolved.settings.outputs)) {
        assert.equal(parseDestination(url, text).stream, text);
        assert.ok(resolved.secrets.includes(text));
      }
    }),
  );
});

/** Trees that use the real names, with anything in their places. */
const almost = fc.dictionary(
  fc.constantFrom('video', 'audio', 'outputs', 'log', '__proto__', 'constructor', 'x'),
  fc.oneof(
    fc.anything({ withBigInt: true, withDate: true, withMap: true, withSet: true, withTypedArray: true }),
    fc.dictionary(
      fc.constantFrom('fps', 'files', 'source', 'main', 'constructor', '__proto__', 'level', 'hasOwnProperty'),
      fc.oneof(
        fc.anything({ withBigInt: true }),
        fc.dictionary(fc.constantFrom('url', 'key', 'enabled'), fc.anything()),
      ),
    ),
  ),
);

test('nothing that a layer may hold makes it throw, and what comes out is always valid', () => {
  const any = fc.oneof(fc.anything({ withBigInt: true, withNullPrototype: true }), almost);
  const env = fc.dictionary(
    fc.constantFrom(...rows.map((row) => row.env.replace('*', 'MAIN')), 'STREAM_URL'),
    fc.string(),
  );
  const before = Object.getOwnPropertyNames(Object.prototype).join() + Object.getOwnPropertyNames(Object).join();
  fc.assert(
    fc.property(any, env, any, fc.oneof(settings, any), (values, variables, later, lastGood) => {
      const file = { name: FILE, values };
      const layers = { file, env: variables, later: [{ name: 'page', values: later }] };
      const resolved = resolve({ ...layers, lastGood: lastGood as Settings });
      const again = fromFile(resolved.settings);
      assert.deepEqual(codes(again), []);
      assert.deepEqual(again.settings, resolved.settings);
      for (const { message } of resolved.problems) assert.doesNotMatch(message, /[\n\r]/);
    }),
    { numRuns: 200 },
  );
  assert.equal(Object.getOwnPropertyNames(Object.prototype).join() + Object.getOwnPropertyNames(Object).join(), before);
});

test('a cyclic value is refused', () => {
  const cycle: Record<string, unknown> = {};
  cycle['a'] = cycle;
  assert.deepEqual(codes(fromFile({ video: { fps: cycle } })), ['video.fps setting_type']);
  assert.deepEqual(codes(fromFile({ log: cycle, a: cycle })), ['log.a setting_unknown', 'a setting_unknown']);
});

test('no secret is in any problem or warning, wherever it was put', () => {
  const places: ((text: string) => unknown)[] = [
    (text) => ({ outputs: { main: { url: 'rtmp://h', key: text } } }),
    (text) => ({ outputs: { main: { url: `rtmp://h/app/${text}`, key: [] } } }),
    (text) => ({ outputs: { main: { url: `rtmp://h:x/app/${text}` } } }),
    (text) => ({ outputs: { main: { url: `rtmp://u:${text}@h`, key: 'k' } } }),
    (text) => ({ outputs: { main: { url: text, key: 'rtmp://h/app' } } }),
    (text) => ({ outputs: { main: { url: `http://h/app?${text}` } } }),
    (text) => ({ outputs: { main: { urll: text, kye: text } } }),
    (text) => ({ outputs: { main: text } }),
    (text) => ({ outputs: { [`rtmp://h/app/${text}`]: {} } }),
    (text) => ({ outputs: text, stream_key: text }),
    (text) => ({ outputs: { main: { ...MAIN, key: text } }, audio: { source: '', rate: text }, log: { level: text } }),
    (text) => ({ outputs: { main: { ...MAIN, key: ` ${text} ` } }, demo: { port: ` ${text}` } }),
  ];
  fc.assert(
    fc.property(telltaleKey, fc.constantFrom(...places), (text, place) => {
      const { problems, warnings } = fromFile(place(text));
      assert.ok(problems.length + warnings.length > 0);
      assert.doesNotMatch([...problems.map((item) => Object.values(item).join()), ...warnings].join('\n'), /qzx|xzq/);
    }),
    { numRuns: 400 },
  );
});

test('the environment gives the same keys as the file, unchanged', () => {
  fc.assert(
    fc.property(key, (text) => {
      const { settings: got } = resolve({ env: { STREAM_URL: 'rtmp://h/app', STREAM_KEY: text } });
      assert.equal(got.outputs['main']?.key, text);
    }),
  );
});

test('a key that was pasted decoded into the wrong setting is not quoted, though it is shorter there', () => {
  const env = { STREAM_URL: 'rtmp://h/app', STREAM_KEY: '%61bcd%65fgh%69jkl', VIDEO_FPS: 'abcdefghijkl' };
  const [problem] = resolve({ env }).problems;
  assert.equal(problem?.path, 'video.fps');
  assert.equal(problem.given, '"***"');
});
