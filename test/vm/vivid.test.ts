/** A camera of the kernel's own making (vivid): found, streamed, judged at the receiver. */
import assert from 'node:assert/strict';
import path from 'node:path';
import { test } from 'node:test';
import { startAgent } from '../helpers/agent.js';
import { temporaryFolder } from '../helpers/command.js';
import { startNginx } from '../helpers/nginx.js';
import { observe } from '../helpers/stream.js';
import { Vivid } from './devices/vivid.js';
import { mustBeGuest } from './guest.js';

mustBeGuest();

test('a camera is found by itself and streamed: its size, its frame rate, keyframes where they are wanted', async () => {
  await using camera = await Vivid.start();
  await using nginx = await startNginx();
  await using agent = await startAgent({
    STREAM_URL: nginx.url(),
    STREAM_KEY: 'cam',
    VIDEO_WIDTH: '320',
    VIDEO_HEIGHT: '180',
    VIDEO_BITRATE_KBPS: '500',
    VIDEO_KEYFRAME_SECONDS: '1',
    AUDIO_SOURCE: 'test',
  });
  await nginx.waitForCall('publish', { name: 'cam' });
  const { folder, remove } = await temporaryFolder();
  const { video, audio, decodeErrors } = await observe(`${nginx.url()}/cam`, 5, path.join(folder, 'seen.flv'));
  await remove();
  assert.match(agent.output, new RegExp(camera.node));
  assert.deepEqual(decodeErrors, []);
  assert.equal(`${video!.codec} ${video!.width}x${video!.height}`, 'h264 320x180');
  assert.ok(Math.abs(video!.fps - 30) < 1, `${video!.fps} frames a second`);
  for (const interval of video!.keyframeIntervals) assert.ok(Math.abs(interval - 1) < 0.07, `${interval} s`);
  assert.ok(video!.monotonic && audio!.monotonic);
  await agent.stop();
});
