/** Media files on the air: untouched where they fit, transcoded where they do not, in real time, to their last frame. */
import assert from 'node:assert/strict';
import { copyFile } from 'node:fs/promises';
import path from 'node:path';
import { describe, test } from 'node:test';
import { startAgent, type Environment } from '../helpers/agent.js';
import { run, temporaryFolder } from '../helpers/command.js';
import { lipSync, makeSyncFile } from '../helpers/lipsync.js';
import { sample, type Sample } from '../helpers/media.js';
import { startNginx, type Nginx } from '../helpers/nginx.js';
import { decodeSound, isSilent } from '../helpers/sound.js';
import { analyse } from '../helpers/stream.js';

const small: Environment = { VIDEO_SOURCE: 'file', VIDEO_WIDTH: '320', VIDEO_HEIGHT: '180', VIDEO_BITRATE_KBPS: '500' };

/** Plays `files` once; the recording that the server made of it, and what the plan was. */
async function played(
  nginx: Nginx,
  files: readonly string[],
  env: Environment = {},
): Promise<{ file: string; encoder: string }> {
  const from = nginx.calls.items.length;
  await using agent = await startAgent({
    ...small,
    VIDEO_FILES: JSON.stringify(files),
    VIDEO_LOOP: 'false',
    STREAM_URL: nginx.url(),
    STREAM_KEY: `film${from}`,
    ...env,
  });
  const { encoder } = (await agent.status(({ video }) => video !== undefined))['video'] as { encoder: string };
  assert.equal((await agent.end(60_000)).code, 0);
  await agent.gone();
  await nginx.waitForCall('record_done', { name: `film${from}` });
  return { file: (await nginx.recordings()).find((each) => path.basename(each).startsWith(`film${from}-`))!, encoder };
}

/** Sizes of the video packets of a file: what is untouched has the same ones. */
async function packetSizes(file: string): Promise<number[]> {
  const { stdout } = await run('ffprobe', [
    ...['-v', 'error', '-select_streams', 'v', '-show_entries', 'packet=size', '-of', 'csv=p=0', file],
  ]);
  return stdout
    .toString()
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => parseInt(line, 10));
}

describe('untouched', () => {
  test('a film with B-frames, under a name that would break a pipeline text: every frame, as it was, in real time', async () => {
    await using nginx = await startNginx({ record: true });
    const { folder, remove } = await temporaryFolder();
    const film = path.join(folder, 'my "film"! 100%\n\'one\' ; $HOME.mp4');
    await copyFile(await sample('h264-bframes.mp4'), film);
    const { file, encoder } = await played(nginx, [film]);
    assert.equal(encoder, 'passthrough');
    const before = await analyse(film);
    const after = await analyse(file);
    assert.deepEqual(after.decodeErrors, []);
    assert.equal(after.video!.bFrames, true);
    assert.equal(after.video!.packets, before.video!.packets);
    assert.equal(`${after.video!.width}x${after.video!.height}`, '640x360');
    // Packets keep their sizes; the first may carry parameter sets more or less.
    assert.deepEqual((await packetSizes(file)).slice(1), (await packetSizes(film)).slice(1));
    const published = nginx.calls.items.find(({ call }) => call === 'publish')!.at;
    const done = nginx.calls.items.find(({ call }) => call === 'publish_done')!.at;
    assert.ok((done - published) / 1000 > after.video!.seconds - 1, 'paced');
    await remove();
  });

  test('a playlist of two, looped: one stream whose times rise', async () => {
    await using nginx = await startNginx({ record: true });
    const files = [await sample('h264-bframes.mp4'), await sample('h264-bframes-2.mp4')];
    await using agent = await startAgent({
      ...small,
      VIDEO_FILES: files.join('\n'),
      STREAM_URL: nginx.url(),
      STREAM_KEY: 'list',
    });
    await agent.status(({ hub }) => (hub as { splices: number } | undefined)?.splices === 3, 40_000);
    await agent.status(({ hub }) => (hub as { frames: number }).frames > 400, 40_000);
    await agent.stop('SIGINT');
    await nginx.waitForCall('record_done', { name: 'list' });
    const { video, audio, decodeErrors } = await analyse((await nginx.recordings())[0]!);
    assert.deepEqual(decodeErrors, []);
    assert.ok(video!.monotonic && audio!.monotonic);
    assert.ok(video!.largestGapMs < 500, `${video!.largestGapMs} ms between two files`);
    assert.equal(nginx.calls.items.filter(({ call }) => call === 'publish').length, 1);
  });

  test('a film without sound is sent with silence', async () => {
    await using nginx = await startNginx({ record: true });
    const { file, encoder } = await played(nginx, [await sample('h264-silent.mp4')]);
    assert.equal(encoder, 'passthrough');
    const { audio } = await analyse(file);
    assert.deepEqual([audio!.codec, audio!.rate, audio!.channels], ['aac', 48_000, 2]);
    assert.ok(isSilent(await decodeSound(file)));
  });
});

describe('transcoded', () => {
  for (const name of [
    'vp8-opus.webm',
    'h264-mp3.mkv',
    'mpeg4-mp3.mov',
    'h264-long-gop.mp4',
    'theora-vorbis.ogv',
    'hevc.mp4',
  ] as Sample[]) {
    test(name, async () => {
      await using nginx = await startNginx({ record: true });
      const { file, encoder } = await played(nginx, [await sample(name)]);
      assert.equal(encoder, 'x264enc');
      const { video, audio, decodeErrors } = await analyse(file);
      assert.deepEqual(decodeErrors, []);
      assert.equal(`${video!.width}x${video!.height}`, '320x180');
      // 6 s at 30 frames a second, whatever the file has.
      assert.ok(Math.abs(video!.packets - 180) <= 8, `${video!.packets} frames`);
      assert.deepEqual([audio!.codec, audio!.profile, audio!.rate, audio!.channels], ['aac', 'LC', 48_000, 2]);
      assert.ok(!isSilent(await decodeSound(file)));
    });
  }
});

describe('lip-sync', () => {
  for (const [how, options, encoder] of [
    ['untouched', { bFrames: 2 }, 'passthrough'],
    ['transcoded', { bFrames: 0 }, 'x264enc'],
  ] as const) {
    test(how, async () => {
      await using nginx = await startNginx({ record: true });
      const { folder, remove } = await temporaryFolder();
      const film = path.join(folder, 'sync.mp4');
      await makeSyncFile(film, { seconds: 8, ...options });
      const env: Environment = encoder === 'x264enc' ? { VIDEO_ENCODER: 'x264enc' } : {};
      const { file, encoder: used } = await played(nginx, [film], env);
      assert.equal(used, encoder);
      const sync = await lipSync(file, 'flash');
      assert.ok(Math.abs(sync.worstMs) <= 40, JSON.stringify(sync));
      await remove();
    });
  }
});
