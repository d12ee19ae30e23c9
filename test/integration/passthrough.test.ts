/** What is not encoded here: an output that joins it in mid-broadcast, and the slate that needs an encoder when it is lost or was never there. */
import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import path from 'node:path';
import { test } from 'node:test';
import type { Camera } from '../../pipelines/machine.js';
import { resolve } from '../../agent/config/resolve.js';
import { machineFor } from '../../agent/machine/machine.js';
import { Storage } from '../../agent/machine/storage/storage.js';
import { small, startAgent } from '../helpers/agent/agent.js';
import { broadcastIn } from '../helpers/agent/broadcast.js';
import { folderFor } from '../helpers/command.js';
import { until } from '../helpers/feed.js';
import { isPicture, isVideoKey } from '../helpers/content/flv.js';
import { sample } from '../helpers/content/media.js';
import { startRtmpServer } from '../helpers/rtmp/server.js';

// No camera, whatever is claimed of it.
const claimed: Camera = {
  ...{ api: 'v4l2', path: '/dev/null', name: 'Claimed', driver: 'uvcvideo', controls: [] },
  formats: [{ fourcc: 'H264', width: 320, height: 180, fps: [30] }],
};

for (const [what, cameras] of [
  ['fails', [claimed]],
  ['is not there', []],
] as const) {
  test(`video.encoder: passthrough, and the camera ${what}: the slate is on, and status says why`, async (t) => {
    await using server = await startRtmpServer();
    const folder = await folderFor(t);
    const storage = new Storage(folder, () => undefined);
    const env = { ...small, VIDEO_SOURCE: '/dev/null', VIDEO_ENCODER: 'passthrough' };
    const { settings } = resolve({ env: { ...env, STREAM_URL: server.url(), STREAM_KEY: 'k' } });
    const { broadcast } = broadcastIn(t, folder, settings, {
      gather: async (wish) => ({ ...(await machineFor(wish, storage, () => undefined)), cameras }),
    });
    await broadcast.start();
    const { tags } = await server.published('k');
    await tags.waitFor(isPicture, 30_000);
    const isSlate = () => broadcast.status().video?.source === 'slate';
    await until(isSlate, 10_000, 'the slate');
    await until(() => broadcast.status().problems.some(({ code }) => code.startsWith('source_')), 10_000, 'the reason');
  });
}

test('no keyframe can be asked of a film that passes through: an output that joins begins with the last group of pictures, and says so', async (t) => {
  await using server = await startRtmpServer();
  const folder = await folderFor(t);
  const env = { VIDEO_SOURCE: 'file', VIDEO_FILES: await sample('h264-bframes.mp4'), VIDEO_LOOP: 'true' };
  await using agent = await startAgent(
    { ...env, VIDEO_ENCODER: 'passthrough', STREAM_URL: server.url(), STREAM_KEY: 'first' },
    { cwd: folder },
  );
  const first = await server.published('first');
  await first.tags.waitFor(isVideoKey, 30_000);
  let late = '';
  let lateMs: number | undefined;
  // Its keyframes are 2 s apart: one of these joins when none is about to come.
  for (let count = 1; lateMs === undefined; count += 1) {
    assert.ok(count <= 5, 'each began with a keyframe that had just come');
    late = `late${count}`;
    const outputs = { [late]: { url: server.url(), key: late } };
    await writeFile(path.join(folder, 'makercast.yml'), JSON.stringify({ outputs }));
    const { outputs: all } = await agent.status((status) => Number(status.outputs[late]?.['frames'] ?? 0) > 0, 30_000);
    lateMs = all[late]!['joinedLateMs'] as number | undefined;
  }
  assert.ok(lateMs > 0 && lateMs <= 2500, String(lateMs));
  const said = await agent.event('joined_late');
  assert.match(
    said.message,
    /^Output \S+ began with pictures that were up to \d\.\d s old, because the encoder gave no keyframe/,
  );
  const { tags } = await server.published(late);
  const begun = await tags.waitFor(isPicture, 10_000);
  assert.ok(isVideoKey(begun), 'the first picture is a keyframe');
});
