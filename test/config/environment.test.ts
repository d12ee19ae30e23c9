import assert from 'node:assert/strict';
import { test } from 'node:test';
import { readEnvironment } from '../../agent/config/environment.js';
import { resolve, type Resolved } from '../../agent/config/resolve.js';
import { get, rows, type Settings } from '../../agent/config/settings.js';

function fromEnv(env: Record<string, string | undefined>): Resolved {
  return resolve({ env });
}

const taken: [env: Record<string, string>, path: string, want: unknown][] = [
  [{ VIDEO_FPS: '25' }, 'video.fps', 25],
  [{ VIDEO_FPS: ' 25\n' }, 'video.fps', 25],
  [{ VIDEO_FPS: '' }, 'video.fps', 'auto'],
  [{ VIDEO_FPS: 'auto' }, 'video.fps', 'auto'],
  [{ CAMERA_ZOOM: '150' }, 'camera.zoom', 150],
  [{ CAMERA_FOCUS: ' auto' }, 'camera.focus', 'auto'],
  [{ CAMERA_POWER_LINE_HZ: '50' }, 'camera.powerLineHz', 50],
  [{ CAMERA_POWER_LINE_HZ: 'off' }, 'camera.powerLineHz', 'off'],
  [{ VIDEO_KEYFRAME_SECONDS: '.5' }, 'video.keyframeSeconds', 0.5],
  [{ AUDIO_GAIN_DB: '-6.5' }, 'audio.gainDb', -6.5],
  [{ AUDIO_DELAY_MS: '+40' }, 'audio.delayMs', 40],
  [{ AUDIO_RATE: '44100' }, 'audio.rate', 44100],
  [{ LOG_LEVEL: 'debug ' }, 'log.level', 'debug'],
  ...['true', '1', 'yes', 'on', 'YES', 'True'].map((text): [Record<string, string>, string, unknown] => [
    { AUDIO_MUTE: text },
    'audio.mute',
    true,
  ]),
  ...['false', '0', 'no', 'off', 'Off'].map((text): [Record<string, string>, string, unknown] => [
    { VIDEO_LOOP: text },
    'video.loop',
    false,
  ]),
  [{ OUTPUT_BATCH_MS: '0' }, 'output.batchMs', 0],
  [{ VIDEO_SOURCE: 'file', VIDEO_FILES: '/a b.mp4' }, 'video.files', ['/a b.mp4']],
  [{ VIDEO_SOURCE: 'file', VIDEO_FILES: '/a.mp4\n/b.mp4\n' }, 'video.files', ['/a.mp4', '/b.mp4']],
  [{ VIDEO_SOURCE: 'file', VIDEO_FILES: '["/a.mp4","/b\\n.mp4"]' }, 'video.files', ['/a.mp4', '/b\n.mp4']],
  [{ VIDEO_SOURCE: 'file', VIDEO_FILES: '[2018] a.mp4' }, 'video.files', ['[2018] a.mp4']],
  [{ STREAM_URL: 'rtmp://h/a/k' }, 'outputs.main.url', 'rtmp://h/a/k'],
  [{ OUTPUT_MY_TUBE_URL: 'rtmp://h/a/k', OUTPUT_MY_TUBE_TLS_VERIFY: 'no' }, 'outputs.my_tube.tlsVerify', false],
  [{ OUTPUT_X_URL: 'rtmp://h/a/k', OUTPUT_X_ENABLED: 'off' }, 'outputs.x.enabled', false],
];

for (const [env, path, want] of taken) {
  test(`takes ${JSON.stringify(env)}`, () => {
    const { settings, problems, warnings } = fromEnv(env);
    assert.deepEqual([problems, warnings], [[], []]);
    assert.deepEqual(get(settings, path), want);
  });
}

const refused: [env: Record<string, string>, code: string, message: RegExp][] = [
  [
    { VIDEO_FPS: '25fps' },
    'setting_type',
    /^VIDEO_FPS \(video.fps\): wrong type; given: "25fps"; allowed: auto or a whole number/,
  ],
  [{ CAMERA_ZOOM: 'auto' }, 'setting_type', /driver or a whole number/],
  [{ CAMERA_POWER_LINE_HZ: '55' }, 'setting_range', /driver, 50, 60, auto or off/],
  [{ VIDEO_FPS: '0x1e' }, 'setting_type', /"0x1e"/],
  [{ VIDEO_FPS: '61' }, 'setting_range', /given: 61/],
  [{ AUDIO_MUTE: 'maybe' }, 'setting_type', /true or false/],
  [{ AUDIO_RATE: '8000' }, 'setting_range', /given: 8000; allowed: 44100 or 48000/],
  [{ AUDIO_RATE: 'high' }, 'setting_type', /"high"/],
  [{ VIDEO_FILES: '[1]', VIDEO_SOURCE: 'file' }, 'setting_type', /VIDEO_FILES/],
  [{ STREAM_KEY: 'KEY' }, 'setting_url', /^STREAM_URL \(outputs.main.url\): this output has no URL/],
  [{ OUTPUT_X_KEY: 'KEY' }, 'setting_url', /^OUTPUT_X_URL \(outputs.x.url\): this output has no URL/],
  [
    { STREAM_URL: 'rtmp://h/', STREAM_KEY: 'KEY' },
    'setting_url',
    /^STREAM_URL .*no application path; given: rtmp:\/\/h\//,
  ],
];

for (const [env, code, message] of refused) {
  test(`refuses ${JSON.stringify(env)}`, () => {
    const { problems } = fromEnv(env);
    assert.deepEqual(
      problems.map((problem) => problem.code),
      [code],
    );
    assert.match(problems[0]?.message ?? '', message);
    assert.equal(problems[0]?.layer, 'environment');
    assert.doesNotMatch(problems[0]?.message ?? '', /KEY$/);
  });
}

const old: [env: Record<string, string>, pick: (settings: Settings) => unknown, want: unknown, name: string][] = [
  [{ AV_VIDEO_WIDTH: '640' }, (s) => s.video.width, 640, 'VIDEO_WIDTH'],
  [{ AV_VIDEO_HEIGHT: '480' }, (s) => s.video.height, 480, 'VIDEO_HEIGHT'],
  [{ AV_VIDEO_FRAMERATE: '25' }, (s) => s.video.fps, 25, 'VIDEO_FPS'],
  [{ AV_AUDIO_SAMPLING_RATE: '44100' }, (s) => s.audio.rate, 44100, 'AUDIO_RATE'],
  [{ AV_AUDIO_BITRATE: '96' }, (s) => s.audio.bitrateKbps, 96, 'AUDIO_BITRATE_KBPS'],
  [{ AV_DISABLE_AUDIO: 'true' }, (s) => s.audio.source, 'none', 'AUDIO_SOURCE'],
  [{ AV_DISABLE_AUDIO: 'false' }, (s) => s.audio.source, 'auto', 'AUDIO_SOURCE'],
  [{ AV_STREAM_URL: 'rtmp://h/a/k' }, (s) => s.outputs['main']?.url, 'rtmp://h/a/k', 'STREAM_URL'],
];

for (const [env, pick, want, name] of old) {
  test(`takes ${JSON.stringify(env)} of the 2018 project, with one warning`, () => {
    const { settings, problems, warnings } = fromEnv(env);
    assert.equal(pick(settings), want);
    assert.deepEqual(problems, []);
    assert.deepEqual(warnings, [`${Object.keys(env)[0]} is an old name: set ${name} instead.`]);
  });
}

test('the 2018 stream variables make an output, with one warning each', () => {
  const { settings, warnings } = fromEnv({ AV_STREAM_URL: 'rtmp://h/a', AV_STREAM_KEY: 'KEY' });
  assert.equal(settings.outputs['main']?.key, 'KEY');
  assert.equal(warnings.length, 2);
  assert.doesNotMatch(warnings.join(), /KEY[^ ]/);
});

test('the name of today wins, in whatever order they come', () => {
  for (const env of [
    { AV_VIDEO_WIDTH: '640', VIDEO_WIDTH: '800' },
    { VIDEO_WIDTH: '800', AV_VIDEO_WIDTH: '640' },
  ]) {
    const { settings, warnings } = fromEnv(env);
    assert.equal(settings.video.width, 800);
    assert.deepEqual(warnings, ['AV_VIDEO_WIDTH is ignored, because VIDEO_WIDTH sets video.width too.']);
  }
  const muted = fromEnv({ AV_DISABLE_AUDIO: '1', AUDIO_SOURCE: 'test' });
  assert.equal(muted.settings.audio.source, 'test');
  assert.equal(muted.warnings.length, 1);
});

test('OUTPUT_MAIN_URL wins over STREAM_URL, with a warning only if they differ', () => {
  const differ = fromEnv({ STREAM_URL: 'rtmp://s/a/SECRET-ONE', OUTPUT_MAIN_URL: 'rtmp://o/a/SECRET-TWO' });
  assert.equal(differ.settings.outputs['main']?.url, 'rtmp://o/a/SECRET-TWO');
  assert.deepEqual(differ.warnings, ['STREAM_URL is ignored, because OUTPUT_MAIN_URL sets outputs.main.url too.']);
  for (const secret of ['SECRET-ONE', 'SECRET-TWO']) assert.ok(differ.secrets.includes(secret));
  assert.deepEqual(fromEnv({ STREAM_URL: 'rtmp://o/a/k', OUTPUT_MAIN_URL: 'rtmp://o/a/k' }).warnings, []);
});

const misspelled: [name: string, hint: RegExp][] = [
  ['OUTPUT_MAIN_KYE', /Did you mean OUTPUT_MAIN_KEY\?/],
  ['OUTPUT_MAIN_TLSVERIFY', /Did you mean OUTPUT_MAIN_TLS_VERIFY\?/],
  ['OUTPUT_MAIN_COLOUR', /docs\/settings.md/],
  ['OUTPUT_1ST_URL', /name begins with a letter/],
  ['STREAM_KEYS', /Did you mean STREAM_KEY\?/],
  ['VIDOE_SOURCE', /Did you mean VIDEO_SOURCE\?/],
  ['video_fps', /Did you mean VIDEO_FPS\?/],
  ['MAKERCAST_CONFG', /Did you mean MAKERCAST_CONFIG\?/],
  ['MAKERCAST_WHATEVER', /docs\/settings.md/],
  ['OUTPUT_CONSTRUCTOR_URL', /name begins/],
];

for (const [name, hint] of misspelled) {
  test(`warns of ${name}, without its value`, () => {
    const { warnings, problems, secrets } = fromEnv({ [name]: 'rtmp://h/app/SECRET' });
    assert.deepEqual([problems.length, warnings.length], [0, 1]);
    assert.match(warnings[0] ?? '', hint);
    assert.doesNotMatch(warnings[0] ?? '', /SECRET/);
    assert.ok(secrets.includes('rtmp://h/app/SECRET'));
  });
}

test('other programs and our bootstrap are left in peace', () => {
  const env = {
    ...{ PATH: '/bin', HOME: '/root', LANG: 'C', TERM: 'xterm', BALENA: '1', BALENA_DEVICE_UUID: 'x', INIT_CWD: '/' },
    ...{
      npm_config_loglevel: 'warn',
      npm_lifecycle_event: 'start',
      NODE_OPTIONS: '',
      UV_THREADPOOL_SIZE: '8',
      AV: '1',
    },
    ...{
      MAKERCAST_CONFIG: '/x.yml',
      MAKERCAST_SUPERVISED: '1',
      MAKERCAST_DATA: '/data',
      GST_DEBUG: '3',
      DISPLAY: ':0',
    },
  };
  assert.deepEqual(fromEnv(env).warnings, []);
});

test('every setting can be a variable of balena', () => {
  for (const { env, alias } of rows) {
    for (const name of [env.replace('*', 'MAIN'), ...(alias ? [alias.env] : [])]) {
      assert.match(name, /^[A-Za-z_][A-Za-z0-9_]*$/);
      // Those names are balena's own.
      assert.doesNotMatch(name, /^(BALENA|RESIN)/);
    }
  }
});

test('empty variables are as good as none', () => {
  const env = Object.fromEntries(rows.map((row) => [row.env.replace('*', 'MAIN'), '']));
  const empty = fromEnv({ ...env, STREAM_URL: '', STREAM_KEY: '' });
  assert.deepEqual(empty, fromEnv({}));
});

test('what balena adds of its own does no harm', () => {
  const own = [
    ...['BALENA', 'BALENA_APP_ID', 'BALENA_APP_NAME', 'BALENA_APP_RELEASE', 'BALENA_APP_UUID', 'BALENA_APP_LOCK_PATH'],
    ...['BALENA_DEVICE_UUID', 'BALENA_DEVICE_TYPE', 'BALENA_DEVICE_ARCH', 'BALENA_DEVICE_NAME_AT_INIT'],
    ...['BALENA_HOST_OS_VERSION', 'BALENA_SERVICE_NAME', 'BALENA_SERVICE_HANDOVER_COMPLETE_PATH', 'BALENA_API_KEY'],
    ...['BALENA_API_URL', 'BALENA_SUPERVISOR_ADDRESS', 'BALENA_SUPERVISOR_API_KEY', 'BALENA_SUPERVISOR_HOST'],
    ...['BALENA_SUPERVISOR_PORT', 'BALENA_SUPERVISOR_VERSION', 'RESIN', 'RESIN_APP_ID', 'RESIN_SUPERVISOR_API_KEY'],
    ...['USER', 'INITSYSTEM', 'UDEV', 'HOSTNAME'],
  ];
  const extra = fromEnv(Object.fromEntries(own.map((name) => [name, 'some text of balena'])));
  assert.deepEqual(extra, fromEnv({}));
});

test('a removed variable is a problem that says what to do', () => {
  const table = rows.map((row) => ({
    ...row,
    ...(row.path === 'log.level' ? { removed: [{ env: 'VERBOSE', remedy: 'set LOG_LEVEL' }] } : {}),
  }));
  const { problems } = readEnvironment({ VERBOSE: 'SECRET' }, table);
  assert.deepEqual(
    problems.map(({ code, message }) => [code, message]),
    [['setting_removed', 'VERBOSE in environment: no longer exists; given: (hidden); allowed: set LOG_LEVEL']],
  );
});
