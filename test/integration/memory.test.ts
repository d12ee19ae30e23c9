/** A delivery process that has grown is replaced while nothing is sent, and never under a session that is live. */
import assert from 'node:assert/strict';
import path from 'node:path';
import { test } from 'node:test';
import { systemClock } from '../../agent/clock.js';
import { Redactor } from '../../agent/config/redact.js';
import { resolve } from '../../agent/config/resolve.js';
import { Log } from '../../agent/log.js';
import { factsFor } from '../../agent/machine/facts.js';
import { Storage } from '../../agent/machine/storage.js';
import { Broadcast } from '../../agent/supervisor/broadcast.js';
import { Intent } from '../../agent/supervisor/intent.js';
import { freePorts, temporaryFolder } from '../helpers/command.js';
import { until } from '../helpers/feed.js';
import { processTree } from '../helpers/processes.js';
import { startRtmpServer } from '../helpers/rtmp-server.js';

const deliveries = (): number[] =>
  processTree(process.pid).flatMap(({ pid, command }) => (command.includes('makercast-delivery') ? [pid] : []));

test('a delivery process that has grown waits for a quiet moment', async (t) => {
  const { folder, remove } = await temporaryFolder();
  t.after(remove);
  await using server = await startRtmpServer();
  const [nobody] = await freePorts(1);
  const settingsFor = (port: number) =>
    resolve({
      env: {
        ...{ VIDEO_SOURCE: 'test', VIDEO_WIDTH: '320', VIDEO_HEIGHT: '180', VIDEO_BITRATE_KBPS: '800' },
        ...{ STREAM_URL: `rtmp://127.0.0.1:${port}/live`, STREAM_KEY: 'k' },
      },
    }).settings;
  const storage = new Storage(folder, () => undefined);
  const broadcast = new Broadcast(settingsFor(server.port), {
    log: new Log({ level: 'error', format: 'json' }, new Redactor(), systemClock),
    clock: systemClock,
    version: 'test',
    environment: { PATH: process.env['PATH'], HOME: process.env['HOME'] },
    folder,
    gather: (wish) => factsFor(wish, storage, () => undefined),
    holderOf: () => Promise.resolve(undefined),
    networkFault: () => undefined,
    recordings: path.join(folder, 'recordings'),
    intent: new Intent(storage),
    demo: false,
    ended: () => undefined,
    // Every process of ours has grown to that.
    deliveryLimits: { quietBytes: 1, maxBytes: Infinity, everyMs: 250 },
  });
  t.after(() => broadcast.stop());
  await broadcast.start();
  await until(() => broadcast.status().actual === 'live', 30_000, 'a live broadcast');
  const [before] = deliveries();
  const { tags } = await server.published('k');
  // Five beats, with each of which it is looked at.
  await tags.waitFor(({ timestamp }) => timestamp > 5000, 30_000);
  assert.deepEqual([deliveries(), server.publishes.items.length], [[before], 1]);
  await broadcast.apply(settingsFor(nobody!));
  await until(() => deliveries().length === 1 && deliveries()[0] !== before, 30_000, 'another delivery process');
  assert.deepEqual(broadcast.status().problems, []);
  await broadcast.apply(settingsFor(server.port));
  const again = await server.published('k', { from: 1, deadlineMs: 30_000 });
  await again.tags.waitFor(({ timestamp }) => timestamp > 1000, 30_000);
  await broadcast.stop();
});
