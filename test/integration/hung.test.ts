/** Files on disks that are slow, or hang: the slate stands in soon, in the session that the film will have, and says why. */
import assert from 'node:assert/strict';
import path from 'node:path';
import { test } from 'node:test';
import { resolve } from '../../agent/config/resolve.js';
import { ProbeCache } from '../../agent/machine/probecache.js';
import { machineFor } from '../../agent/machine/machine.js';
import { Storage } from '../../agent/machine/storage/storage.js';
import { startAgent, type StatusDocument } from '../helpers/agent/agent.js';
import { broadcastIn, live } from '../helpers/agent/broadcast.js';
import { folderFor } from '../helpers/command.js';
import { hungDisk, noHungDisk } from '../helpers/disk.js';
import { until } from '../helpers/feed.js';
import { isVideoKey } from '../helpers/content/flv.js';
import { sample } from '../helpers/content/media.js';
import { startRtmpServer } from '../helpers/rtmp/server.js';

const isSlate = ({ video }: StatusDocument): boolean => video?.source === 'slate';

test(
  'a film and a slate picture on a disk that hangs: the slate goes on the air, and the program ends when told to',
  { skip: noHungDisk },
  async () => {
    await using disk = await hungDisk();
    await using server = await startRtmpServer();
    await using agent = await startAgent({
      VIDEO_SOURCE: 'file',
      VIDEO_FILES: JSON.stringify(['a.mp4', 'b.mp4', 'c.mp4'].map((name) => path.join(disk.folder, name))),
      SLATE_IMAGE: path.join(disk.folder, 'slate.png'),
      STREAM_URL: server.url(),
      STREAM_KEY: 'film',
    });
    const { tags, history } = await server.published('film');
    await tags.waitFor(isVideoKey, 15_000);
    const { problems } = await agent.status((status) => isSlate(status) && status.problems.length > 0);
    assert.deepEqual(problems.map(({ code }) => code).sort(), ['file_slow', 'slate_image']);
    assert.match(problems[0]!.what, /^The file ".*a\.mp4" is still being read after 5 s\.$/);
    await agent.lasts(15_000, 'each look asks again, and none takes another of the four threads for files and names');
    assert.equal(server.publishes.items.length, 1);
    // Node itself waits for the disk, so that there is no code: it kills itself once all is in order.
    await agent.stop('SIGTERM', 10_000);
    assert.ok(history.items.includes('deleteStream'), history.items.join(', '));
    await agent.gone();
  },
);

test('a film that takes long to be looked at follows the slate, in the same session', async (t) => {
  await using server = await startRtmpServer();
  const folder = await folderFor(t);
  const storage = new Storage(folder, () => undefined);
  const env = {
    VIDEO_SOURCE: 'file',
    VIDEO_FILES: await sample('h264-bframes.mp4'),
    STREAM_URL: server.url(),
    STREAM_KEY: 'k',
  };
  const cache = new ProbeCache();
  let patienceMs = 1;
  const { broadcast } = broadcastIn(t, folder, resolve({ env }).settings, {
    gather: (wish) => machineFor(wish, storage, () => undefined, { patienceMs, cache }),
  });
  await broadcast.start();
  assert.equal(broadcast.status().video?.source, 'slate');
  assert.deepEqual(
    broadcast.status().problems.map(({ code }) => code),
    ['file_slow'],
  );
  patienceMs = 5000;
  await until(() => broadcast.status().video?.source === 'file', 30_000, 'the film');
  await live(broadcast);
  assert.deepEqual(broadcast.status().problems, []);
  assert.equal(server.publishes.items.length, 1);
});
