/** The Pi's H.264 encoder, as far as its stand-in goes: chosen by itself, given the right controls, its bitrate changed on the air. */
import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import path from 'node:path';
import { after, test } from 'node:test';
import { runAgent, startAgent, type Environment } from '../helpers/agent/agent.js';
import { temporaryFolder } from '../helpers/command.js';
import { until } from '../helpers/feed.js';
import { startNginx, type Nginx } from '../helpers/rtmp/nginx.js';
import { analyse, colour } from '../helpers/content/stream.js';
import { Codec, valueOf } from './devices/codec.js';
import { c920, UsbCamera } from './devices/usb-camera.js';
import { mustBeGuest } from './guest.js';
import { recording } from './recording.js';

mustBeGuest();

/** Values of linux/v4l2-controls.h: what a Pi's driver gets. */
const high = 4;
const level30 = 8;

const small: Environment = {
  VIDEO_SOURCE: 'test',
  AUDIO_SOURCE: 'test',
  VIDEO_WIDTH: '320',
  VIDEO_HEIGHT: '180',
  VIDEO_FPS: '10',
  VIDEO_ADAPTIVE: 'false',
};

/** What one makercast has found out of the encoders, the next knows: each of them would try them anew. */
const data = await temporaryFolder();
after(data.remove);

const to = (nginx: Nginx): Environment => ({ STREAM_URL: nginx.url(), STREAM_KEY: 'cam' });

test('probe finds the encoder by encoding with it, and its node is no camera', async () => {
  await using codec = await Codec.load();
  const { stdout } = await runAgent(['probe', '--json'], {}, { deadlineMs: 120_000 });
  const { cameras, encoders } = JSON.parse(stdout) as {
    cameras: unknown[];
    encoders: { element: string; works: boolean; hardware: boolean; why?: string }[];
  };
  const found = encoders.find(({ element }) => element === 'v4l2h264enc');
  assert.deepEqual([found?.works, found?.hardware], [true, true], JSON.stringify(found));
  assert.deepEqual(cameras, []);
  const tried = (await codec.sessions()).filter(({ started }) => started !== undefined);
  assert.equal(tried.length, 1);
  assert.match(tried[0]!.started!, /^1280x720 /);
  assert.ok(tried[0]!.pictures! > 0, 'it was asked to encode');
});

test('it is chosen by itself, gets level, profile, keyframe period and bitrate, and is streamed', async (t) => {
  await using codec = await Codec.load();
  await using nginx = await startNginx({ record: true });
  // 2 s at 10 frames a second; then 60 frames, which is what the driver starts with: it is told so all the same.
  for (const [keyframeSeconds, period] of [
    ['2', 20],
    ['6', 60],
  ] as const) {
    await codec.forget();
    const { folder, remove } = await temporaryFolder();
    t.after(remove);
    await using agent = await startAgent(
      { ...small, ...to(nginx), VIDEO_BITRATE_KBPS: '810', VIDEO_KEYFRAME_SECONDS: keyframeSeconds },
      { cwd: folder, dataFolder: data.folder },
    );
    await nginx.waitForCall('publish', { name: 'cam', from: nginx.calls.items.length });
    const session = await codec.encoding('320x180');
    // The stride of I420 is a multiple of 64, which 320 is.
    assert.equal(session.started, '320x180 stride 320 rate 10/1');
    // The driver takes steps of 25 kbit/s.
    assert.equal(valueOf(session, 'video_bitrate'), 800_000);
    assert.equal(valueOf(session, 'h264_i_frame_period'), period);
    assert.equal(valueOf(session, 'h264_profile'), high);
    assert.equal(valueOf(session, 'h264_level'), level30);
    assert.equal(valueOf(session, 'repeat_sequence_header'), 1);
    if (period === 20) {
      const file = await recording(agent, nginx, 90);
      // SMPTE bars: yellow is the second, blue the last.
      const bar = { y: 0.1, width: 0.08, height: 0.2 };
      const [{ video, decodeErrors }, yellow, blue] = await Promise.all([
        analyse(file),
        colour(file, { ...bar, x: 1.3 / 7 }),
        colour(file, { ...bar, x: 6.3 / 7 }),
      ]);
      assert.deepEqual(decodeErrors, []);
      assert.deepEqual([video!.profile, video!.level, video!.width, video!.height], ['High', 30, 320, 180]);
      // The first group may begin before the server says yes, and then goes out whole or in part.
      for (const interval of video!.keyframeIntervals.slice(1))
        assert.ok(Math.abs(interval - 2) < 0.11, `${interval} s`);
      assert.ok(yellow[0] > 120 && yellow[1] > 120 && yellow[2] < 80, `yellow is ${yellow}`);
      assert.ok(blue[2] > 120 && blue[0] < 80 && blue[1] < 80, `blue is ${blue}`);
    } else {
      // An output that joins wants one, long before the period is over. The driver knows a button, whose value is nothing.
      await agent.status(({ actual }) => actual === 'live', 60_000);
      const late = { outputs: { late: { url: nginx.url(), key: 'late' } } };
      await writeFile(path.join(folder, 'makercast.yml'), JSON.stringify(late));
      const asked = async (): Promise<boolean> =>
        valueOf(await codec.encoding('320x180'), 'force_key_frame') !== undefined;
      await until(asked, 20_000, 'a request for a keyframe at the driver');
      await agent.stop();
    }
  }
});

test('a picture whose width is no multiple of the stride comes out straight', async () => {
  await using codec = await Codec.load();
  await using nginx = await startNginx({ record: true });
  await using agent = await startAgent(
    { ...small, ...to(nginx), VIDEO_WIDTH: '360', VIDEO_HEIGHT: '202' },
    { dataFolder: data.folder },
  );
  await nginx.waitForCall('publish', { name: 'cam' });
  assert.equal((await codec.encoding('360x202')).started, '360x202 stride 384 rate 10/1');
  const file = await recording(agent, nginx, 20);
  // A picture that is sheared by a wrong stride has every colour everywhere.
  const bar = { y: 0.05, width: 0.08, height: 0.5 };
  const [{ video }, yellow, blue] = await Promise.all([
    analyse(file),
    colour(file, { ...bar, x: 1.3 / 7 }),
    colour(file, { ...bar, x: 6.3 / 7 }),
  ]);
  assert.deepEqual([video!.width, video!.height], [360, 202]);
  assert.ok(yellow[0] > 120 && yellow[1] > 120 && yellow[2] < 80, `yellow is ${yellow}`);
  assert.ok(blue[2] > 120 && blue[0] < 80 && blue[1] < 80, `blue is ${blue}`);
});

test('packed pictures of a USB camera reach it as they are, and come out in their colours', async () => {
  await using codec = await Codec.load();
  await using camera = await UsbCamera.plug(c920, ['yuyv']);
  await using nginx = await startNginx({ record: true });
  await using agent = await startAgent(
    { ...small, ...to(nginx), VIDEO_SOURCE: await camera.node(), VIDEO_HEIGHT: '240', VIDEO_FPS: '5' },
    { dataFolder: data.folder },
  );
  await nginx.waitForCall('publish', { name: 'cam' });
  // Two bytes a pixel: nothing has converted them.
  assert.equal((await codec.encoding('320x240', 60_000)).started, '320x240 stride 640 rate 5/1');
  const file = await recording(agent, nginx, 20);
  const area = { y: 0, width: 0.2, height: 1 };
  const [{ video, decodeErrors }, left, right] = await Promise.all([
    analyse(file),
    colour(file, { ...area, x: 0.1 }, 1),
    colour(file, { ...area, x: 0.7 }, 1),
  ]);
  assert.deepEqual(decodeErrors, []);
  assert.deepEqual([video!.width, video!.height], [320, 240]);
  assert.ok(left[0] > 150 && left[2] < 80, `the left half is ${left}`);
  assert.ok(right[2] > 150 && right[0] < 80, `the right half is ${right}`);
  assert.match(agent.output, new RegExp(await camera.node()));
});

test('one that is deaf to requests for keyframes: who joins begins with the last group of pictures, and that is said', async () => {
  await using codec = await Codec.load({ deaf: true });
  await using nginx = await startNginx({ record: true });
  const { folder, remove } = await temporaryFolder();
  await using agent = await startAgent(
    { ...small, ...to(nginx), VIDEO_KEYFRAME_SECONDS: '8' },
    { cwd: folder, dataFolder: data.folder },
  );
  await agent.status(({ actual }) => actual === 'live', 60_000);
  await codec.encoding('320x180');
  const late = { outputs: { late: { url: nginx.url(), key: 'second' } } };
  await writeFile(path.join(folder, 'makercast.yml'), JSON.stringify(late));
  const joined = await agent.event('joined_late', 30_000);
  assert.match(joined.message, /^Output late began with pictures that were up to \d\.\d s old, because /);
  assert.ok(Number(joined['lateMs']) > 0 && Number(joined['lateMs']) <= 8500, joined.message);
  await remove();
});

test('a new bitrate in the settings file reaches the driver on the air: same process, same connection', async () => {
  await using codec = await Codec.load();
  await using nginx = await startNginx({ record: true });
  const { folder, remove } = await temporaryFolder();
  const file = path.join(folder, 'makercast.yml');
  const settings = (bitrateKbps: number): string => JSON.stringify({ video: { bitrateKbps } });
  await writeFile(file, settings(800));
  await using agent = await startAgent({ ...small, ...to(nginx) }, { cwd: folder, dataFolder: data.folder });
  await agent.event('playing', 60_000);
  await codec.encoding('320x180');
  const capture = await agent.descendant('makercast-capture');
  await writeFile(file, settings(1600));
  await agent.event('settings_applied');
  const changed = await until(
    async () => {
      const session = await codec.encoding('320x180');
      return valueOf(session, 'video_bitrate') === 1_600_000 && session;
    },
    10_000,
    'the new bitrate at the driver',
  );
  // The one that was there before: it had the old bitrate first, and has not been started anew.
  assert.deepEqual(
    changed.set.filter(([name]) => name === 'video_bitrate').map(([, value]) => value),
    [800_000, 1_600_000],
  );
  assert.equal((await agent.descendant('makercast-capture')).pid, capture.pid);
  // It goes on encoding.
  const { video, decodeErrors } = await analyse(await recording(agent, nginx, 80));
  assert.deepEqual(decodeErrors, []);
  assert.ok(video!.packets >= 60);
  assert.equal(nginx.calls.items.filter(({ call }) => call === 'publish').length, 1);
  await remove();
});
