import assert from 'node:assert/strict';
import { mkdir, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { test } from 'node:test';
import { check, formatProblems, oddFiles } from '../../agent/commands/check.js';
import { resolve } from '../../agent/config/resolve.js';
import { temporaryFolder } from '../helpers/command.js';

test('valid settings: exit code 0, and it says so', () => {
  const lines: string[] = [];
  assert.equal(
    check(resolve({ env: {} }), (line) => lines.push(line), 'There is no settings file.'),
    0,
  );
  assert.deepEqual(lines, ['There is no settings file.', 'The settings are valid.']);
});

test('every problem and warning on one line, without secrets, exit code 2', () => {
  const file = {
    name: 'makercast.yml',
    values: { video: { fps: 200 }, outputs: { club: { url: 'rtmp://u:SECRET@h', key: 'a"SECRET\n#' } } },
  };
  const resolved = resolve({ file, env: { AUDIO_MUTE: 'perhaps', AV_VIDEO_WIDTH: '640', OUTPUT_X_KYE: 'SECRET' } });
  const lines: string[] = [];
  assert.equal(
    check(resolved, (line) => lines.push(line), 'There is no settings file.'),
    2,
  );
  const rule =
    'rtmp://host/application or rtmps://host/application, with the key set separately or as the last part of the URL';
  assert.deepEqual(lines, [
    'problem [setting_range] video.fps in makercast.yml: out of range; given: 200; allowed: auto or a whole number from 5 to 60 (frames/s)',
    'problem [setting_type] AUDIO_MUTE (audio.mute): wrong type; given: "perhaps"; allowed: true or false',
    `problem [setting_url] outputs.club.url in makercast.yml: the URL has no application path; given: rtmp://h; allowed: ${rule}`,
    'warning OUTPUT_X_KYE in the environment is not a setting, and is ignored. Did you mean OUTPUT_X_KEY?',
    'warning AV_VIDEO_WIDTH is an old name: set VIDEO_WIDTH instead.',
    'There is no settings file.',
    '3 settings are not valid. docs/settings.md describes all of them.',
  ]);
  assert.deepEqual(formatProblems(resolved), lines.slice(0, -2));
});

test('what is odd about the files that the settings name', async (t) => {
  const { folder, remove } = await temporaryFolder();
  t.after(remove);
  await mkdir(path.join(folder, 'films'));
  await writeFile(path.join(folder, 'a.mp4'), '');
  const files = ['a.mp4', 'gone.mp4', 'films', '~/b.mp4', 'films/*.mp4', '/dev/zero'];
  const { settings } = resolve({
    file: { name: 'makercast.yml', values: { video: { source: 'file', files }, recording: { folder: 'a.mp4' } } },
    env: { SLATE_IMAGE: 'a.mp4/x.png' },
  });
  assert.deepEqual(await oddFiles(settings, folder), [
    `video.files: "gone.mp4" does not exist (${folder}/gone.mp4).`,
    'video.files: "films" is a folder, not a file.',
    'video.files: "~/b.mp4" does not exist: ~ is not expanded here, write the whole path.',
    'video.files: "films/*.mp4" does not exist: patterns are not expanded here, list the files one by one.',
    'video.files: "/dev/zero" is not a file but a pipe, a socket or a device.',
    'slate.image: "a.mp4/x.png" cannot be read (ENOTDIR).',
    'recording.folder: "a.mp4" is not a folder.',
  ]);
  assert.deepEqual(await oddFiles(resolve({ env: { RECORDING_FOLDER: 'new' } }).settings, folder), []);
});
