import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { parse } from 'yaml';
import { defaults, resolve, type Resolved } from '../../agent/config/resolve.js';
import { get, isOutputRow, rows, type Settings } from '../../agent/config/settings.js';

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
    /hidden.*put digits alone in quotes/,
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
  assert.match(resolved.warnings.join(), /outputs.main is disabled and has no URL/);
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

test('a cyclic value is refused', () => {
  const cycle: Record<string, unknown> = {};
  cycle['a'] = cycle;
  assert.deepEqual(codes(fromFile({ video: { fps: cycle } })), ['video.fps setting_type']);
  assert.deepEqual(codes(fromFile({ log: cycle, a: cycle })), ['log.a setting_unknown', 'a setting_unknown']);
});

test('a key that was pasted decoded into the wrong setting is not quoted, though it is shorter there', () => {
  const env = { STREAM_URL: 'rtmp://h/app', STREAM_KEY: '%61bcd%65fgh%69jkl', VIDEO_FPS: 'abcdefghijkl' };
  const [problem] = resolve({ env }).problems;
  assert.equal(problem?.path, 'video.fps');
  assert.equal(problem.given, '"***"');
});

/** All of each problem in one line. */
const messages = (resolved: Resolved): string[] => resolved.problems.map(({ message }) => message);
const inFile = (path: string, what: string, given: string, allowed: string): string =>
  `${path} in ${FILE}: ${what}; given: ${given}; allowed: ${allowed}`;
const urlRule =
  'rtmp://host/application or rtmps://host/application, with the key set separately or as the last part of the URL';
const outputsOf = ({ settings: got }: Resolved): string[] =>
  Object.entries(got.outputs).map(([name, { url, key }]) => `${name} ${url} ${key}`);

const misfits: [values: unknown, path: string, what: string, given: string, allowed: string][] = [
  [{ video: { fps: 4 } }, 'video.fps', 'out of range', '4', 'auto or a whole number from 5 to 60 (frames/s)'],
  [{ audio: { gainDb: 21 } }, 'audio.gainDb', 'out of range', '21', 'a number from -60 to 20 (dB)'],
  [{ audio: { mute: 'yes' } }, 'audio.mute', 'wrong type', '"yes"', 'true or false'],
  [{ log: { level: 'loud' } }, 'log.level', 'not one of the choices', '"loud"', 'error, warn, info or debug'],
  [{ slate: { text: '\r' } }, 'slate.text', 'not allowed', '"\\r"', 'text'],
  [{ mqtt: { groups: ['a b'] } }, 'mqtt.groups', 'not allowed', 'a list of 1', 'names of letters'],
  [{ mqtt: { id: '-' } }, 'mqtt.id', 'not allowed', '"-"', 'a letter or digit'],
  [{ updates: { window: '1-2' } }, 'updates.window', 'not hours of the day', '"1-2"', 'hours of the day such as'],
  [{ updates: { timezone: 'Mars' } }, 'updates.timezone', 'unknown time zone', '"Mars"', 'a time zone such as'],
  [{ video: { files: [''] } }, 'video.files', 'not allowed', 'a list of 1', 'a path, or a list of paths'],
  [{ outputs: { a: { url: '\0' } } }, 'outputs.a.url', 'not allowed', '(hidden)', 'rtmp://host/application or'],
  [{ outputs: { a: { url: 'x', key: '\0' } } }, 'outputs.a.key', 'not allowed', '(hidden)', 'text of at most 4096'],
];
for (const [values, path, what, given, allowed] of misfits) {
  test(`says of ${JSON.stringify(values)}: ${what}`, () => {
    const [message = '', ...more] = messages(fromFile(values));
    assert.ok(message.startsWith(inFile(path, what, given, allowed)), message);
    assert.deepEqual(more, [], 'and nothing else');
  });
}

test('of each of too many outputs it says so, where it was named; those of the last good settings come last', () => {
  const outputs = Object.fromEntries([...'abcdefgh'].map((name) => [name, MAIN]));
  const url = 'rtmp://h/app';
  const env = { OUTPUT_I_URL: url, OUTPUT_I_KEY: 'KEY', OUTPUT_J_KEY: 'KEY' };
  const resolved = resolve({ file: { name: FILE, values: { outputs } }, env });
  const eleven = (name: string): string =>
    `outputs.${name} in environment: too many outputs; given: 10 outputs; allowed: at most 8`;
  assert.deepEqual(messages(resolved), [eleven('i'), eleven('j')]);
  assert.deepEqual(Object.keys(resolved.settings.outputs), [...'abcdefgh']);
  assert.deepEqual(codes(fromFile({ outputs })), []);

  const lastGood = { ...defaults(), outputs: { z: MAIN } };
  const lost = resolve({ file: { name: FILE, values: { outputs: 5 } }, env: { STREAM_URL: `${url}/k` }, lastGood });
  assert.deepEqual(Object.keys(lost.settings.outputs), ['main', 'z']);
});

describe('what falls back', () => {
  const good = (more: Partial<Settings>): Settings => ({ ...defaults(), ...more });
  const audio = () => ({ ...defaults().audio, mute: true, gainDb: 5 });

  test('says so in its origin: a default where nothing was good before', () => {
    const bad = { audio: { mute: 1, gainDb: 'x' } };
    const before = fromFile(bad, good({ audio: audio() }));
    assert.deepEqual([before.settings.audio.mute, before.origin['audio.mute']], [true, 'last good']);
    const never = fromFile(bad);
    assert.deepEqual([never.settings.audio.mute, never.origin['audio.mute']], [false, 'default']);
  });

  test('is what is below a broken map, and nothing beside it', () => {
    const lastGood = good({ audio: audio(), outputs: { main: MAIN }, log: { ...defaults().log, level: 'debug' } });
    assert.deepEqual(fromFile({ audio: 5 }, lastGood).settings, good({ audio: audio() }));
    // `output` is a section of its own, whose name others begin with.
    assert.deepEqual(fromFile({ output: 5 }, lastGood).settings, defaults());
    const youtube = { ...MAIN, url: 'rtmp://y/app' };
    const two = good({ outputs: { main: MAIN, main2: youtube } });
    assert.deepEqual(outputsOf(fromFile({ outputs: { main: 5 } }, two)), ['main rtmp://h/app KEY']);
  });

  test('of an output are URL and key together, or the output is left out, with all that was said of it', () => {
    const lastGood = good({ outputs: { main: MAIN } });
    const bad = {
      outputs: { main: { url: 'rtmp://other', key: 'NEW', tlsVerify: false }, next: { url: 'rtmp://h/a/k' } },
    };
    const before = fromFile(bad, lastGood);
    assert.deepEqual(outputsOf(before), ['main rtmp://h/app KEY', 'next rtmp://h/a/k ']);
    // That, too: what was given for a server whose certificate is checked goes to no other.
    assert.equal(before.settings.outputs['main']!.tlsVerify, true);
    assert.deepEqual(
      [before.origin['outputs.main.url'], before.origin['outputs.main.key']],
      ['last good', 'last good'],
    );
    const never = fromFile(bad);
    assert.deepEqual(outputsOf(never), ['next rtmp://h/a/k ']);
    const named = Object.keys(never.origin).filter((path) => path.startsWith('outputs.'));
    assert.deepEqual([...new Set(named.map((path) => path.split('.')[1]))], ['next']);
    const other = good({ outputs: { next: MAIN } });
    assert.deepEqual(outputsOf(fromFile({ outputs: { main: { url: 'rtmp://other', key: 'NEW' } } }, other)), []);
  });

  test('is a URL with its key where either is of the wrong type', () => {
    const lastGood = good({ outputs: { main: MAIN } });
    for (const main of [
      { url: 5, key: 'NEW' },
      { url: 'rtmp://other/app', key: 5 },
      { url: 5, enabled: false },
    ]) {
      assert.deepEqual(outputsOf(fromFile({ outputs: { main } }, lastGood)), ['main rtmp://h/app KEY']);
      assert.deepEqual(outputsOf(fromFile({ outputs: { main } })), []);
    }
  });

  test('of a source without files are both, with their origin', () => {
    const video = { ...defaults().video, source: 'file', files: ['/a.mp4'] };
    const before = fromFile({ video: { source: 'file', files: [] } }, good({ video }));
    assert.deepEqual([before.settings.video.source, before.settings.video.files], ['file', ['/a.mp4']]);
    assert.deepEqual([before.origin['video.source'], before.origin['video.files']], ['last good', 'last good']);
    assert.deepEqual(messages(before), [
      inFile('video.files', 'video.source is file, but no file is set', '(nothing)', 'at least one path'),
    ]);
    const never = fromFile({ video: { source: 'file' } });
    assert.deepEqual([never.settings.video.source, never.settings.video.files], ['auto', []]);
    assert.deepEqual([never.origin['video.source'], never.origin['video.files']], ['default', 'default']);
    assert.deepEqual(messages(never), [
      'VIDEO_FILES (video.files): video.source is file, but no file is set; given: (nothing); allowed: at least one path',
    ]);
    assert.equal(never.problems[0]!.layer, 'default');
    const both = fromFile({ video: { source: 'file' }, audio: { mute: 1 } });
    assert.deepEqual(codes(both), ['audio.mute setting_type', 'video.files setting_range']);
    const playing = fromFile({ video: { source: 'file', files: ['/b.mp4'] } }, good({ video }));
    assert.deepEqual([playing.settings.video.files, playing.warnings, codes(playing)], [['/b.mp4'], [], []]);
  });
});

describe('an output that cannot be', () => {
  test('for want of a URL is called as whoever gave the rest of it would', () => {
    const none = (where: string): string => `${where}: this output has no URL; given: (nothing); allowed: ${urlRule}`;
    assert.deepEqual(messages(fromFile({ outputs: { a: { key: 'KEY' } } })), [none(`outputs.a.url in ${FILE}`)]);
    assert.deepEqual(messages(resolve({ env: { OUTPUT_A_KEY: 'KEY' } })), [none('OUTPUT_A_URL (outputs.a.url)')]);
    assert.deepEqual(messages(resolve({ env: { STREAM_KEY: 'KEY' } })), [none('STREAM_URL (outputs.main.url)')]);
    // Of another output nothing is told, though its name begins alike.
    const two = resolve({
      file: { name: FILE, values: { outputs: { ab: { url: 'rtmp://h/a/k' }, a: { enabled: true } } } },
      env: {},
    });
    assert.deepEqual(messages(two), [none(`outputs.a.url in ${FILE}`)]);
  });

  test('is one that is on; one that is off and has a URL is looked at all the same', () => {
    const off = fromFile({ outputs: { a: { enabled: false }, b: { enabled: false, url: 'rtmp://h' } } });
    assert.deepEqual(off.warnings, ['outputs.a is disabled and has no URL: it is left out.']);
    assert.deepEqual(codes(off), ['outputs.b.url setting_url']);
    assert.deepEqual([Object.keys(off.origin).filter((path) => path.startsWith('outputs.')), outputsOf(off)], [[], []]);
    const on = fromFile({ outputs: { a: { enabled: true } } });
    assert.deepEqual([on.warnings, codes(on)], [[], ['outputs.a.url setting_url']]);
  });

  test('is said with its URL, without what is secret in it', () => {
    const what = 'the URL is neither rtmp:// nor rtmps://';
    const [message] = messages(fromFile({ outputs: { a: { url: 'http://h/app/KEY' } } }));
    assert.equal(message, inFile('outputs.a.url', what, 'http://h/app/***', urlRule));
  });
});

test('an address of a broker as people mistype it: refused, with what was most likely meant, and no secret', () => {
  const meant = (url: string): string | undefined => {
    const { problems } = fromFile({ mqtt: { url } });
    assert.deepEqual(
      problems.map(({ code }) => code),
      ['setting_range'],
      url,
    );
    assert.doesNotMatch(problems[0]!.message, /geheim/);
    return /did you mean (.*)\?; given/.exec(problems[0]!.message)?.[1];
  };
  assert.deepEqual(
    [
      'tcp://h:1883',
      'ssl://h',
      'MQTT://h',
      'h:1883',
      'mqtt://h:99999',
      'mqtt://me:geheim@h',
      'https://h/mqtt',
      ' mqtts://h',
    ].map(meant),
    ['mqtt://h:1883', 'mqtts://h', 'mqtt://h', 'mqtt://h:1883', 'mqtt://h', 'mqtt://h', 'wss://h/mqtt', 'mqtts://h'],
  );
  for (const url of ['ftp://h', 'mqtt://', 'mqtt://h:0', 'mqtt://a b', 'x y']) assert.equal(meant(url), undefined, url);
  for (const url of ['', 'mqtt://h', 'mqtts://[::1]:65535', 'ws://h:80/mqtt', 'wss://h/'])
    assert.deepEqual(fromFile({ mqtt: { url } }).problems, [], url);
});

describe('what works and is rarely meant', () => {
  const warned = (values: unknown, env = {}): string[] => resolve({ file: { name: FILE, values }, env }).warnings;

  test('is white space around a key, at either end', () => {
    const words = `outputs.a.key in ${FILE} begins or ends with white space, and is sent with it.`;
    for (const key of [' KEY', 'KEY ', 'KEY\n'])
      assert.deepEqual(warned({ outputs: { a: { url: 'rtmp://h/app', key } } }), [words]);
    assert.deepEqual(warned({ outputs: { a: { url: 'rtmp://h/app', key: 'K EY' } } }), []);
  });

  test('is an @ in the path of a URL', () => {
    const words = `outputs.a.url in ${FILE} has an @ in its path: in a password, write / as %2F and @ as %40.`;
    assert.deepEqual(warned({ outputs: { a: { url: 'rtmp://u:p@ss/K@h/app', key: 'KEY' } } }), [words]);
    assert.deepEqual(warned({ outputs: { a: { url: 'rtmp://u:pass@h/app', key: 'KEY' } } }), []);
  });

  test('is a list of files that is not played, wherever it stands', () => {
    const words = 'is not used, because video.source is not "file".';
    assert.deepEqual(warned({ video: { files: ['/a.mp4'] } }), [`video.files in ${FILE} ${words}`]);
    assert.deepEqual(warned({}, { VIDEO_FILES: '/a.mp4' }), [`VIDEO_FILES (video.files) ${words}`]);
    assert.deepEqual(warned({ video: { files: [] } }), []);
    assert.deepEqual(warned({ video: { source: 'file', files: ['/a.mp4'] } }), []);
  });

  test('is said once', () => {
    const values = { outputs: { a: { url: 'rtmp://h/app', key: ' KEY' } } };
    assert.equal(
      resolve({ file: { name: FILE, values }, env: {}, later: [{ name: FILE, values }] }).warnings.length,
      1,
    );
  });
});

test('a key that was pasted into another setting is in no message, a short one only where it is the whole', () => {
  const pasted = (key: string, source: string): string | undefined =>
    fromFile({ outputs: { main: { url: 'rtmp://h/app', key } }, log: { level: source } }).problems[0]?.given;
  assert.equal(pasted('geheim-4711', 'geheim-4711'), '"***"');
  assert.equal(pasted('geheim-4711', 'x geheim-4711 y'), '"x *** y"');
  assert.equal(pasted('KEY', 'other'), '"other"');
  const { problems } = fromFile({ outputs: { main: { ...MAIN, key: '12345678' } }, video: { fps: 12345678 } });
  assert.equal(problems[0]?.given, '***', 'no longer than the key');
  const word = fromFile({ outputs: { main: { ...MAIN, key: 'hidden' } }, nonsense: 1, log: { level: 'hidden' } });
  assert.deepEqual(
    word.problems.map(({ given }) => given),
    ['(hidden)', '"***"'],
  );
  const [problem] = fromFile({ nonsense: 'geheim-4711', log: { level: 'geheim-4711' } }).problems.slice(-1);
  assert.equal(problem?.message, inFile('log.level', 'not one of the choices', '"***"', 'error, warn, info or debug'));
});

test('all secrets of all layers are known, those too that are covered, misplaced or not valid; none is empty, none twice', () => {
  const { secrets } = resolve({
    file: { name: FILE, values: { outputs: { main: { ...MAIN, key: 'covered' } }, nonsense: 'misplaced' } },
    env: { STREAM_KEY: 'in-force', OUTPUT_X_URL: 'rtmp://u:pass@h/app/in-url', MQTT_PASSWORD: '' },
    later: [{ name: 'page', values: { mqtt: { password: 12345678 } } }],
    lastGood: { ...defaults(), outputs: { main: { ...MAIN, key: 'gone' } } },
  });
  for (const secret of ['covered', 'misplaced', 'in-force', 'u:pass', 'pass', 'in-url', '12345678'])
    assert.ok(secrets.includes(secret), secret);
  assert.deepEqual([secrets.includes(''), new Set(secrets).size], [false, secrets.length]);
  const lastGood = { ...defaults(), outputs: { main: { ...MAIN, key: 'fallen-back' } } };
  assert.ok(fromFile({ outputs: 5 }, lastGood).secrets.includes('fallen-back'));
});

test('a file of nothing but unknown names: each is said; what it may have meant, of the first hundred', () => {
  const values = Object.fromEntries(Array.from({ length: 150 }, (_, i) => [`vidoe${i % 10}${'_'.repeat(i)}`, {}]));
  const { problems } = resolve({ file: { name: '/etc/makercast.yml', values }, env: {} });
  assert.equal(problems.length, 150);
  assert.deepEqual(
    problems.map(({ message }) => message.includes('did you mean')),
    problems.map((_, i) => i < 100),
  );
});

test('a map that cannot be made a text, in the place of a secret or of what goes with it: refused, and nothing is thrown', () => {
  const odd = { toString: {}, valueOf: {} };
  const outputs = { main: { url: odd, key: odd, tlsVerify: odd } };
  for (const values of [{ mqtt: { username: odd, password: odd, url: odd, ca: odd } }, { outputs }]) {
    const { problems } = resolve({ file: { name: '/etc/makercast.yml', values }, env: {} });
    assert.ok(problems.length >= 3, JSON.stringify(problems));
    assert.ok(problems.every(({ code }) => code.startsWith('setting_')));
  }
});
