/** A broadcast that has played its files to their end, and what begins it anew. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { resolve } from '../../agent/config/resolve.js';
import type { Settings } from '../../agent/config/settings.js';
import { audienceMs } from '../../agent/broadcast/delivery.js';
import { startAbroad } from '../helpers/network/abroad.js';
import { broadcastIn, live } from '../helpers/agent/broadcast.js';
import { folderFor } from '../helpers/command.js';
import { Feed, until } from '../helpers/feed.js';
import { isPicture } from '../helpers/content/flv.js';
import { lasts } from '../helpers/interval.js';
import { sample } from '../helpers/content/media.js';
import { noNamespaces } from '../helpers/network/namespace.js';
import { startRtmpServer, type Connection, type RtmpServer } from '../helpers/rtmp/server.js';

const seconds = 6;
const skip = noNamespaces();

/** Pictures that a session had, once it was closed in order: at the end of the file the last of them are still on their way. */
async function picturesOf(session: Connection | undefined): Promise<number> {
  await session!.history.waitFor((what) => what === 'deleteStream', 20_000);
  return session!.tags.items.filter(isPicture).length;
}

/** Settings that play one file once; `more`: where to, and what else. */
const once = async (server: RtmpServer, more: Readonly<Record<string, string>> = {}): Promise<Settings> => {
  const film = { VIDEO_SOURCE: 'file', VIDEO_FILES: await sample('h264-bframes.mp4'), VIDEO_LOOP: 'no' };
  return resolve({ env: { ...film, STREAM_URL: server.url(), STREAM_KEY: 'k', ...more } }).settings;
};

test('started again at the moment of its end, it is another whole broadcast', async (t) => {
  await using server = await startRtmpServer();
  const { broadcast } = broadcastIn(t, await folderFor(t), await once(server));
  await broadcast.start();
  await live(broadcast);
  await until(() => broadcast.status().actual === 'ended', 20_000, 'the end of the file');
  await broadcast.startBroadcast();
  await live(broadcast);
  await until(() => broadcast.status().actual === 'ended', 20_000, 'the end of the file once more');
  const [first, second] = server.publishes.items;
  assert.equal(server.publishes.items.length, 2);
  assert.ok(first!.history.items.includes('deleteStream'), 'the first session was closed in order');
  assert.equal(await picturesOf(second), seconds * 30);
});

test('files are played from their beginning, however late the server says yes', async (t) => {
  // Longer than a group of pictures (2 s), which is kept for those that come late; less than the film waits for its audience.
  await using server = await startRtmpServer({ acceptAfterMs: 2500 });
  const { broadcast } = broadcastIn(t, await folderFor(t), await once(server));
  const asked = performance.now();
  await broadcast.start();
  await server.publishes.waitFor(() => true, 30_000);
  const answeredMs = Math.round(performance.now() - asked);
  if (answeredMs > audienceMs - 500)
    return t.skip(`the machine is too slow: the server said yes after ${answeredMs} ms`);
  await until(() => broadcast.status().actual === 'ended', 30_000, 'the end of the file');
  assert.equal(await picturesOf(server.publishes.items[0]), seconds * 30);
});

test(
  'a network that swallows everything as the file ends, and no more a moment later: all of it arrives',
  { skip },
  async () => {
    const film = { VIDEO_SOURCE: 'file', VIDEO_FILES: await sample('h264-bframes.mp4'), VIDEO_LOOP: 'no' };
    await using abroad = await startAbroad({ ...film, OUTPUT_MAX_QUEUE_SECONDS: '10' });
    const { namespace, server } = abroad;
    const session = await server.published('k', { deadlineMs: 30_000 });
    await session.tags.waitFor(({ timestamp }) => timestamp >= 4500, 30_000);
    await namespace.blackHole();
    // TCP tries again 3 s after the beginning at the latest, and then only when the connection is given up.
    await lasts(1900, 'a black hole until after the end of the file');
    await namespace.heal();
    assert.equal(await picturesOf(session), seconds * 30);
  },
);

test('a server that never says yes keeps no file from being played to the others', async (t) => {
  await using server = await startRtmpServer();
  await using mute = await startRtmpServer({ publish: 'mute' });
  const settings = await once(server, { OUTPUT_MUTE_URL: mute.url(), OUTPUT_MUTE_KEY: 'k' });
  const { broadcast } = broadcastIn(t, await folderFor(t), settings);
  await broadcast.start();
  await until(() => broadcast.status().actual === 'ended', 30_000, 'the end of the file');
  assert.equal(await picturesOf(server.publishes.items[0]), seconds * 30);
});

test('only what it plays, and where to, begins it anew: another setting does not', async (t) => {
  await using server = await startRtmpServer();
  const ends = new Feed<number>('ends');
  const { broadcast } = broadcastIn(t, await folderFor(t), await once(server), {
    ended: () => ends.push(ends.items.length),
  });
  await broadcast.start();
  await ends.waitFor(() => true, 30_000);
  await broadcast.apply(await once(server, { LOG_LEVEL: 'debug', MQTT_TELEMETRY_SECONDS: '60' }));
  assert.equal(broadcast.status().actual, 'ended');
  await broadcast.apply(await once(server, { VIDEO_FILES: await sample('h264-bframes-2.mp4') }));
  await live(broadcast);
});
