/** A delivery process that has grown is replaced while nothing is sent, and never under a session that is live. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { broadcastIn, live, smallTo } from '../helpers/agent/broadcast.js';
import { folderFor, freePorts } from '../helpers/command.js';
import { until } from '../helpers/feed.js';
import { processTree } from '../helpers/agent/processes.js';
import { startRtmpServer } from '../helpers/rtmp/server.js';

const deliveries = (): number[] =>
  processTree(process.pid).flatMap(({ pid, command }) => (command.includes('makercast-delivery') ? [pid] : []));

test('a delivery process that has grown waits for a quiet moment', async (t) => {
  const folder = await folderFor(t);
  await using server = await startRtmpServer();
  const [nobody] = await freePorts(1);
  // Every process of ours has grown to that.
  const deliveryLimits = { quietBytes: 1, maxBytes: Infinity, everyMs: 250 };
  const { broadcast } = broadcastIn(t, folder, smallTo(server.url()), { deliveryLimits });
  await broadcast.start();
  await live(broadcast);
  const [before] = deliveries();
  const { tags } = await server.published('k');
  // Five beats, with each of which it is looked at.
  await tags.waitFor(({ timestamp }) => timestamp > 5000, 30_000);
  assert.deepEqual([deliveries(), server.publishes.items.length], [[before], 1]);
  await broadcast.apply(smallTo(`rtmp://127.0.0.1:${nobody}/live`));
  await until(() => deliveries().length === 1 && deliveries()[0] !== before, 30_000, 'another delivery process');
  assert.deepEqual(broadcast.status().problems, []);
  await broadcast.apply(smallTo(server.url()));
  // One that has published and not sent yet is still in a quiet moment, and may be replaced once more.
  const isOn = (): boolean =>
    server.publishes.items.slice(1).some(({ tags: { items } }) => (items.at(-1)?.timestamp ?? 0) > 1000);
  await until(isOn, 60_000, 'media by another delivery process');
  await broadcast.stop();
});
