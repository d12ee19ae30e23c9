/** What `fleet set` takes for a setting, and what it refuses before anything is written. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { readAssignments, type Given } from '../../fleet/assignments.js';
import { rows } from '../../agent/config/settings.js';

const open = (name: string, text: string): Given => ({ name, text, open: true });
const closed = (name: string, text: string): Given => ({ name, text, open: false });

test('a variable or a path gives the same variable', () => {
  for (const [name, variable, text] of [
    ['VIDEO_FPS', 'VIDEO_FPS', '25'],
    ['video.fps', 'VIDEO_FPS', '25'],
    ['outputs.main.enabled', 'OUTPUT_MAIN_ENABLED', 'no'],
    ['outputs.main.url', 'STREAM_URL', 'rtmp://example.org/live'],
    ['OUTPUT_MAIN_URL', 'OUTPUT_MAIN_URL', 'rtmp://example.org/live'],
    ['OUTPUT_CLUB_URL', 'OUTPUT_CLUB_URL', 'rtmp://example.org/live'],
    ['VIDEO_FILES', 'VIDEO_FILES', '["/a.mp4"]'],
    ['VIDEO_SOURCE', 'VIDEO_SOURCE', 'file'],
  ] as const) {
    const { assignments, problems, warnings } = readAssignments([open(name, text)], true);
    assert.deepEqual([problems, warnings], [[], []], name);
    assert.deepEqual(
      assignments.map((each) => [each.name, each.text]),
      [[variable, text]],
    );
  }
});

test('every setting can be named by its path', () => {
  for (const { path } of rows) {
    const name = path.replace('*', 'club');
    const { assignments } = readAssignments([closed(name, 'x')], true);
    assert.equal(assignments[0]?.path, name);
  }
});

test('everything that is wrong, at once', () => {
  const { problems } = readAssignments(
    [
      open('VIDEO_FPS', '600'),
      open('video.bitrateKbps', 'much'),
      open('VIDEO_FSP', '25'),
      open('AV_DISABLE_AUDIO', '1'),
      open('MAKERCAST_DATA', '/x'),
      open('AUDIO_MUTE', ''),
      open('audio.rate', '48000'),
      open('AUDIO_RATE', '44100'),
      open('outputs.constructor.url', 'rtmp://example.org/live'),
      open('outputs.main.url.more', 'x'),
      open('toString', 'x'),
      open('STREAM_URL', 'http://example.org'),
    ],
    true,
  );
  const expected = [
    /VIDEO_FSP is not a setting\. Did you mean VIDEO_FPS\?/,
    /AV_DISABLE_AUDIO is an old name: set AUDIO_SOURCE instead\./,
    /MAKERCAST_DATA is not a setting/,
    /AUDIO_MUTE has no value/,
    /AUDIO_RATE is given twice/,
    /outputs\.constructor\.url is not a setting/,
    /The given name is not a setting/,
    /The given name is not a setting/,
    /VIDEO_FPS \(video\.fps\): out of range; given: 600/,
    /VIDEO_BITRATE_KBPS \(video\.bitrateKbps\): wrong type/,
    /STREAM_URL \(outputs\.main\.url\): the URL is neither rtmp/,
  ];
  assert.equal(problems.length, expected.length, problems.join('\n'));
  for (const pattern of expected)
    assert.ok(
      problems.some((problem) => pattern.test(problem)),
      `${pattern}\n${problems.join('\n')}`,
    );
});

test('the name of one device is for one device', () => {
  for (const name of ['MQTT_ID', 'mqtt.id']) {
    assert.deepEqual(readAssignments([open(name, 'kitchen')], true).problems, []);
    assert.match(
      readAssignments([open(name, 'kitchen')], false).problems.join(),
      /MQTT_ID is the name of a single device/,
    );
  }
});

test('a secret is not taken from a command line, and is quoted nowhere', () => {
  const key = 'abcd-efgh-SECRET';
  for (const [name, text] of [
    ['STREAM_KEY', key],
    ['outputs.club.key', key],
    ['STREAM_URL', `rtmp://example.org/live/${key}`],
    ['STREAM_URL', `rtmp://me:${key}@example.org/live`],
  ] as const) {
    const refused = readAssignments([open(name, text)], true);
    assert.match(refused.problems.join(), /everybody on this machine can read the command line/);
    const taken = readAssignments([closed(name, text)], true);
    assert.deepEqual(taken.problems, [], name);
    assert.equal(taken.assignments[0]?.text, text);
    for (const { problems, warnings, assignments, secrets } of [refused, taken]) {
      const said = JSON.stringify([problems, warnings, assignments.map(({ shown }) => shown)]);
      assert.doesNotMatch(said, /SECRET/);
      assert.ok(secrets.some((secret) => secret.includes('SECRET')));
    }
  }
  // A key in the place of a name.
  assert.doesNotMatch(
    readAssignments([open(key, 'x'), open('live_1_secret', '')], true).problems.join(),
    /SECRET|secret_?/,
  );
});
