/** A camera whose own H.264 passes through is lost, or was never there: the slate needs an encoder, though nothing else does. */
import { test } from 'node:test';
import type { Camera } from '../../pipelines/facts.js';
import { resolve } from '../../agent/config/resolve.js';
import { factsFor } from '../../agent/machine/facts.js';
import { Storage } from '../../agent/machine/storage.js';
import { small } from '../helpers/agent.js';
import { broadcastIn } from '../helpers/broadcast.js';
import { folderFor } from '../helpers/command.js';
import { until } from '../helpers/feed.js';
import { isPicture } from '../helpers/flv.js';
import { startRtmpServer } from '../helpers/rtmp-server.js';

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
      gather: async (wish) => ({ ...(await factsFor(wish, storage, () => undefined)), cameras }),
    });
    await broadcast.start();
    const { tags } = await server.published('k');
    await tags.waitFor(isPicture, 30_000);
    const isSlate = () => broadcast.status().video?.source === 'slate';
    await until(isSlate, 10_000, 'the slate');
    await until(() => broadcast.status().problems.some(({ code }) => code.startsWith('source_')), 10_000, 'the reason');
  });
}
