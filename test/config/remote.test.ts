/** Layers from afar: what they may say, what is set aside, and who wins. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import type { Remote } from '../../agent/config/remote.js';
import { readTree, type Layer } from '../../agent/config/layer.js';
import { resolve, type Resolved } from '../../agent/config/resolve.js';
import type { Row } from '../../agent/config/row.js';
import { key } from './arbitraries.js';

const device = { kind: 'device', locked: [], dataFolder: '/data' } as const satisfies Remote;
const layer = (values: unknown, remote: Partial<Remote> = {}): Layer => ({
  name: `MQTT ${remote.kind ?? 'device'}`,
  values,
  remote: { ...device, ...remote },
});
const from = (...later: Layer[]): Resolved => resolve({ env: {}, later });
const codes = ({ problems }: Resolved): string[] => problems.map(({ path, code }) => `${path} ${code}`);

test('defaults < file < environment < groups in order < page < device, and each setting says who won', () => {
  const paths = ['width', 'height', 'fps', 'bitrateKbps', 'keyframeSeconds', 'loop'];
  const all = (n: number): object => ({
    video: Object.fromEntries(
      Object.entries({ width: 600 + 2 * n, height: 400 + 2 * n, fps: 20 + n, bitrateKbps: 800 + n, keyframeSeconds: n })
        .slice(0, 6 - n)
        .map((entry) => entry),
    ),
  });
  const { origin, settings, problems } = resolve({
    file: { name: 'file', values: { video: { ...(all(1) as { video: object }).video, loop: false } } },
    env: { VIDEO_WIDTH: '604', VIDEO_HEIGHT: '404', VIDEO_FPS: '22', VIDEO_BITRATE_KBPS: '802' },
    later: [
      { ...layer({ video: { width: 606, height: 406, fps: 23 } }, { kind: 'group' }), name: 'group a' },
      { ...layer({ video: { fps: 24 } }, { kind: 'group' }), name: 'group b' },
      { ...layer({ video: { width: 608, height: 408 } }, { kind: 'page' }), name: 'page' },
      { ...layer({ video: { width: 610 } }), name: 'device' },
    ],
  });
  assert.deepEqual(problems, []);
  assert.deepEqual(
    paths.map((path) => origin[`video.${path}`]),
    ['device', 'page', 'group b', 'environment', 'file', 'file'],
  );
  assert.deepEqual(
    [settings.video.width, settings.video.height, settings.video.fps, settings.video.bitrateKbps],
    [610, 408, 24, 802],
  );
  assert.equal(origin['audio.mute'], 'default');
});

const secretCases: [object, string][] = [
  [{ outputs: { a: { url: 'rtmp://h/live', key: 'very-secret' } } }, 'outputs.a.key setting_secret'],
  [{ outputs: { a: { url: 'rtmp://h/live/very-secret' } } }, 'outputs.a.url setting_secret'],
  [{ outputs: { a: { url: 'rtmp://u:very-secret@h/live' } } }, 'outputs.a.url setting_secret'],
  [{ outputs: { a: { url: 'rtmp://h/live?token=very-secret' } } }, 'outputs.a.url setting_secret'],
  [{ mqtt: { password: 'very-secret' } }, 'mqtt.password setting_secret'],
  [{ mqtt: { url: 'mqtt://user:very-secret@host' } }, 'mqtt.url setting_range'],
];
for (const [values, problem] of secretCases) {
  test(`no secret in a document: ${problem.split(' ')[0]} of ${Object.keys(values)[0]}`, () => {
    const resolved = from(layer(values));
    assert.ok(codes(resolved).includes(problem), codes(resolved).join());
    assert.doesNotMatch(JSON.stringify(resolved.problems), /very-secret/);
  });
}

test('a URL in a document goes with the key that was handed over by itself, whichever came first', () => {
  const secrets = { given: { 'outputs.club.key': [{ value: 'KEY' }] }, first: {} };
  const waiting = resolve({ env: {}, secrets });
  assert.deepEqual([waiting.settings.outputs, waiting.problems, waiting.held], [{}, [], []]);
  assert.ok(waiting.secrets.includes('KEY'));
  const later = [layer({ outputs: { club: { url: 'rtmp://h/live' } } })];
  const { settings, problems } = resolve({ env: {}, later, secrets });
  assert.deepEqual(problems, []);
  assert.equal(settings.outputs['club']?.key, 'KEY');
});

test('a secret that was handed over is over all layers, and only for outputs that these name', () => {
  const document = layer({ outputs: { club: { url: 'rtmp://h/live' } } });
  const file = { name: 'file', values: { outputs: { club: { key: 'from-file' } }, mqtt: { password: 'from-file' } } };
  const given = {
    'outputs.club.key': [{ value: 'geheim' }],
    'outputs.other.key': [{ value: 'waits' }],
    'outputs.password.key': [{ value: 'waits' }],
    'mqtt.password': [{ value: 'offen' }],
  };
  const { settings, problems, secrets } = resolve({ file, env: {}, later: [document], secrets: { given, first: {} } });
  assert.deepEqual(problems, []);
  assert.deepEqual(
    [settings.outputs['club']?.key, settings.mqtt.password, Object.keys(settings.outputs), secrets.sort()],
    ['geheim', 'offen', ['club'], ['from-file', 'geheim', 'offen', 'waits']],
  );
});

test('from afar a URL without a key would have to hold it', () => {
  const url = { outputs: { a: { url: 'rtmp://h/live/x' } } };
  for (const kind of ['group', 'device', 'page'] as const) {
    const [problem, ...more] = from(layer(url, { kind })).problems;
    assert.deepEqual(more, []);
    assert.equal(
      problem?.message,
      `outputs.a.url in MQTT ${kind}: without a separate key the URL would have to contain it; given: (hidden); ` +
        'allowed: the URL up to the application, and the stream key set with the command set-secret',
    );
    assert.equal(problem.code, 'setting_secret');
  }
  const both = resolve({ file: { name: 'file', values: url }, env: {}, later: [layer({ audio: { mute: true } })] });
  assert.deepEqual([both.problems, both.settings.outputs['a']?.url], [[], 'rtmp://h/live/x']);
  assert.deepEqual(
    from(layer({ outputs: { a: { enabled: true } } })).problems.map(({ code }) => code),
    ['setting_url'],
  );
});

test('what is set aside is said with its layer', () => {
  const { ignored } = from(layer({ hologram: 1 }, { kind: 'group' }), layer({ reverb: 1 }, { kept: true }));
  assert.deepEqual(ignored, [
    { layer: 'MQTT group', path: 'hologram' },
    { layer: 'MQTT device', path: 'reverb' },
  ]);
});

test('what is locked or local is refused, by itself, with all above it and by a removal', () => {
  const locked = ['mqtt.password', 'audio.*', 'outputs.*.url'];
  const refused = (values: object, kind: Remote['kind'] = 'device'): string[] =>
    codes(from(layer(values, { locked, kind })));
  assert.deepEqual(refused({ audio: { mute: true } }), ['audio.mute setting_locked']);
  assert.deepEqual(refused({ audio: null }), ['audio setting_locked']);
  assert.deepEqual(refused({ outputs: null }), ['outputs setting_locked']);
  assert.deepEqual(refused({ outputs: { a: null } }), ['outputs.a setting_locked']);
  assert.deepEqual(refused({ config: { locked: [] } }), ['config.locked setting_local']);
  assert.deepEqual(refused({ config: null }), ['config setting_local']);
  assert.deepEqual(refused({ mqtt: { id: 'other' } }), ['mqtt.id setting_local']);
  assert.deepEqual(refused({ mqtt: { groups: ['a'] } }), []);
  assert.deepEqual(refused({ mqtt: { groups: ['a'] } }, 'group'), ['mqtt.groups setting_local']);
  assert.deepEqual(refused({ video: { fps: 25 } }), []);
});

test('paths from afar stay below the data folder', () => {
  const files = (...paths: string[]): Resolved => from(layer({ video: { source: 'file', files: paths } }));
  assert.deepEqual(files('a.mp4', '/data/b.mp4').settings.video.files, ['/data/a.mp4', '/data/b.mp4']);
  for (const bad of ['/etc/shadow', '../x.mp4', '/data/../etc/passwd', '/database/x', 'a/../../x', '.']) {
    assert.ok(codes(files(bad)).includes('video.files setting_path'), bad);
  }
  assert.deepEqual(codes(from(layer({ recording: { folder: '/' } }))), ['recording.folder setting_path']);
  assert.deepEqual(codes(from(layer({ slate: { image: '' } }))), []);
  fc.assert(
    fc.property(fc.array(fc.constantFrom('..', '.', 'a', '', '~'), { minLength: 1 }), (parts) => {
      const { settings } = from(layer({ recording: { folder: parts.join('/') } }));
      assert.match(settings.recording.folder, /^$|^\/data\/(?!\.\.)/);
    }),
  );
});

test('what is unknown is an error for the device, and set aside for a group of several releases', () => {
  const values = { video: { fps: 25, sharpness: 3 }, hologram: { on: true } };
  assert.deepEqual(codes(from(layer(values))), ['video.sharpness setting_unknown', 'hologram setting_unknown']);
  const group = from(layer(values, { kind: 'group' }));
  assert.deepEqual([group.problems, group.settings.video.fps], [[], 25]);
  assert.deepEqual(
    group.ignored.map(({ path }) => path),
    ['video.sharpness', 'hologram'],
  );
  assert.deepEqual(codes(from(layer({ video: { fps: 1 } }, { kind: 'group' }))), ['video.fps setting_range']);
});

test('what was kept by another release is never refused: what does not fit is set aside, the rest holds', () => {
  const values = {
    video: { fps: 1, width: 640, sharpness: 3 },
    audio: 5,
    outputs: { Bad: { url: 'x' } },
    hologram: 1,
    mqtt: { groups: 'a' },
  };
  const { problems, settings, ignored } = from(layer(values, { kept: true }));
  assert.deepEqual([problems, settings.video.width, settings.video.fps], [[], 640, 'auto']);
  assert.deepEqual(ignored.map(({ path }) => path).sort(), [
    'audio',
    'hologram',
    'outputs.Bad',
    'video.fps',
    'video.sharpness',
  ]);
});

test('old names count in documents too', () => {
  const row = (path: string, more: Partial<Row>): Row => ({
    path,
    env: path.toUpperCase(),
    form: { type: 'boolean' },
    default: false,
    cost: 'live',
    doc: 'x.',
    ...more,
  });
  const table = [
    row('audio.silent', { renamed: [{ path: 'audio.mute' }] }),
    row('audio.loud', { removed: [{ path: 'audio.boost', remedy: 'set audio.gainDb' }] }),
  ];
  const read = (kind: Remote['kind']) => readTree(layer({ audio: { mute: true, boost: true } }, { kind }), table);
  assert.deepEqual(
    read('device').problems.map(({ code }) => code),
    ['setting_removed'],
  );
  assert.deepEqual(read('group').ignored, ['audio.boost']);
  assert.match(read('device').warnings.join(), /audio\.mute .* is an old name/);
});

test('whatever comes from afar, nothing is thrown and no secret is set or shown', () => {
  fc.assert(
    fc.property(fc.jsonValue(), key, fc.constantFrom('group', 'device', 'page'), (values, text, kind) => {
      const secret = `qzx${text}xzq`;
      const odd = layer(
        { outputs: { a: { url: 'rtmp://h/x', key: secret } }, mqtt: values, slate: [secret] },
        { kind },
      );
      const resolved = from(odd, layer(values, { kept: true }));
      if (kind !== 'page') assert.notEqual(resolved.settings.outputs['a']?.key, secret);
      assert.doesNotMatch(JSON.stringify([resolved.problems, resolved.ignored, resolved.warnings]), /qzx/);
    }),
  );
});

test('of a long key that was pasted into the wrong setting nothing is quoted, not its beginning either', () => {
  const long = `FB-1234567890-0-${'AbCdEfGh'.repeat(12)}?s_bl=1`;
  const { problems } = resolve({
    env: { STREAM_URL: 'rtmp://h/live', STREAM_KEY: long },
    later: [layer({ video: { fps: long, source: long, encoder: long }, audio: { source: `${long}\n` } })],
  });
  assert.ok(problems.length >= 3);
  assert.ok(!JSON.stringify(problems).includes(long.slice(0, 12)));
});
