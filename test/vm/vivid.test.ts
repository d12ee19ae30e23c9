/** A camera of the kernel's own making (vivid): found, and streamed, judged at the receiver. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { runAgent, startAgent } from '../helpers/agent/agent.js';
import { startNginx } from '../helpers/rtmp/nginx.js';
import { analyse } from '../helpers/content/stream.js';
import { Vivid } from './devices/vivid.js';
import { mustBeGuest, small } from './guest.js';
import { recording } from './recording.js';

mustBeGuest();

interface Probe {
  readonly cameras: readonly {
    path: string;
    driver: string;
    formats: readonly { fourcc: string; width: number; height: number; fps: readonly number[] }[];
  }[];
  readonly encoders: readonly { element: string; works: boolean }[];
}

test('a probe finds the camera with its formats, and an encoder that encodes', async () => {
  await using camera = await Vivid.start();
  const { cameras, encoders } = JSON.parse((await runAgent(['probe', '--json'])).stdout) as Probe;
  assert.deepEqual(
    cameras.map(({ path, driver }) => [path, driver]),
    [[camera.node, 'vivid']],
  );
  const format = cameras[0]!.formats.find(({ fourcc, width }) => fourcc === 'YUYV' && width === 320);
  assert.equal(format?.height, 180);
  assert.ok(format.fps.includes(30) && format.fps.includes(10), `${format.fps}`);
  assert.equal(encoders.find(({ element }) => element === 'x264enc')?.works, true);
  assert.equal(encoders.find(({ element }) => element === 'v4l2h264enc')?.works, false);
});

test('the camera is taken by itself: size, frame rate, keyframes where they are wanted, and a silence with it', async () => {
  await using camera = await Vivid.start();
  await using nginx = await startNginx({ record: true });
  await using agent = await startAgent({ ...small, STREAM_URL: nginx.url(), STREAM_KEY: 'onair' });
  await agent.status(({ actual }) => actual === 'live', 60_000);
  const file = await recording(agent, nginx, 60);
  assert.match(agent.output, new RegExp(camera.node));
  const { video, audio, decodeErrors } = await analyse(file);
  assert.deepEqual(decodeErrors, []);
  assert.equal(`${video!.codec} ${video!.width}x${video!.height}`, 'h264 320x180');
  assert.ok(Math.abs(video!.fps - 10) < 0.5, `${video!.fps} frames a second`);
  assert.ok(video!.keyframes >= 4);
  for (const interval of video!.keyframeIntervals.slice(1)) assert.ok(Math.abs(interval - 1) < 0.11, `${interval} s`);
  assert.ok(video!.monotonic && audio!.monotonic);
});

test('a report leaves a camera alone that is on the air, and says so; off the air it counts what the camera gives', async () => {
  await using camera = await Vivid.start();
  await using nginx = await startNginx();
  const report = async (...words: string[]): Promise<string> => {
    const { code, stdout, stderr } = await runAgent(['report', '-', ...words], small, { deadlineMs: 300_000 });
    assert.equal(code, 0, stderr);
    return stdout.split(/^## Picture$/m)[1]!.split(/^## /m)[0]!;
  };
  {
    await using agent = await startAgent({ ...small, STREAM_URL: nginx.url(), STREAM_KEY: 'onair' });
    await agent.status(({ actual }) => actual === 'live', 60_000);
    const said = await report();
    assert.match(said, new RegExp(`${camera.node} is in use by makercast-captu \\(process \\d+\\)`));
    await agent.lasts(3000, 'the camera stays on the air after a look at it');
    const { actual, problems } = await agent.status(() => true, 60_000, agent.log.items.length);
    assert.deepEqual([actual, problems], ['live', []]);
    await agent.stop();
  }
  const said = await report('--seconds', '6');
  const counted = JSON.parse(/```json\n([^]*?)\n```/.exec(said)![1]!) as {
    pictures: number;
    keyframes: number;
    h264: string;
    distances: { pictures: number; seconds: number }[];
  };
  assert.match(counted.h264, /^Constrained Baseline/);
  assert.ok(counted.pictures > 20 && counted.keyframes >= 3, said);
  // Some pictures are lost where the processor is emulated.
  const whole = counted.distances.filter(({ pictures }) => pictures === 10);
  assert.ok(whole.length > counted.distances.length / 2, said);
});
