import assert from 'node:assert/strict';
import { test } from 'node:test';
import { check, formatProblems } from '../../agent/commands/check.js';
import { resolve } from '../../agent/config/resolve.js';

test('valid settings: exit code 0, and it says so', () => {
  const lines: string[] = [];
  assert.equal(
    check(resolve({ env: {} }), (line) => lines.push(line)),
    0,
  );
  assert.deepEqual(lines, ['The settings are valid.']);
});

test('every problem and warning on one line, without secrets, exit code 2', () => {
  const file = {
    name: 'makercast.yml',
    values: { video: { fps: 200 }, outputs: { club: { url: 'rtmp://u:SECRET@h', key: 'a"SECRET\n#' } } },
  };
  const resolved = resolve({ file, env: { AUDIO_MUTE: 'perhaps', AV_VIDEO_WIDTH: '640', OUTPUT_X_KYE: 'SECRET' } });
  const lines: string[] = [];
  assert.equal(
    check(resolved, (line) => lines.push(line)),
    2,
  );
  const rule = 'rtmp://host/application or rtmps://host/application, with the key apart or as the last part of the URL';
  assert.deepEqual(lines, [
    'problem [setting_range] video.fps in makercast.yml: out of range; given: 200; allowed: auto or a whole number from 5 to 60 (frames/s)',
    'problem [setting_type] AUDIO_MUTE (audio.mute): wrong type; given: "perhaps"; allowed: true or false',
    `problem [setting_url] outputs.club.url in makercast.yml: the URL has no application path; given: rtmp://h; allowed: ${rule}`,
    'warning OUTPUT_X_KYE in the environment is no setting, and is ignored. Did you mean OUTPUT_X_KEY?',
    'warning AV_VIDEO_WIDTH is an old name: set VIDEO_WIDTH instead.',
    '3 settings are not valid. docs/settings.md describes all of them.',
  ]);
  assert.deepEqual(formatProblems(resolved), lines.slice(0, -1));
});
