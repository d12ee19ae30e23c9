/** What is asked for while the machine is being looked at, which takes a small board seconds: nothing of it is lost or mixed up. */
import assert from 'node:assert/strict';
import { mkdir, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { test, type TestContext } from 'node:test';
import type { Camera, Machine } from '../../pipelines/machine.js';
import type { Wish } from '../../pipelines/wanted.js';
import { resolve } from '../../agent/config/resolve.js';
import type { Settings } from '../../agent/config/settings.js';
import { machineFor } from '../../agent/machine/machine.js';
import { Storage } from '../../agent/machine/storage/storage.js';
import { decodeAmf } from '../helpers/rtmp/amf.js';
import { small, startAgent } from '../helpers/agent/agent.js';
import { broadcastIn, live } from '../helpers/agent/broadcast.js';
import { folderFor } from '../helpers/command.js';
import { Feed, until } from '../helpers/feed.js';
import { startRtmpServer, type RtmpServer } from '../helpers/rtmp/server.js';

/** Looks at this machine, which do not end before they are let. */
class Looks {
  readonly begun = new Feed<Wish>('looks at the machine');
  #end: Promise<void> = Promise.resolve();
  #let: () => void = () => undefined;

  constructor(private readonly storage: Storage) {}

  /** Those that begin from now on end after {@link let}. */
  hold(): void {
    this.#end = new Promise((resolve) => (this.#let = resolve));
  }

  let(): void {
    this.#let();
  }

  async gather(wish: Wish): Promise<Machine> {
    const end = this.#end;
    this.begun.push(wish);
    const machine = await machineFor(wish, this.storage, () => undefined);
    await end;
    return machine;
  }
}

async function stage(t: TestContext, server: RtmpServer, size: Readonly<Record<string, string>>) {
  const folder = await folderFor(t);
  const looks = new Looks(new Storage(folder, () => undefined));
  const settings = (more: Readonly<Record<string, string>>): Settings => {
    const env = { ...small, VIDEO_WIDTH: '', VIDEO_HEIGHT: '', ...more, STREAM_URL: server.url(), STREAM_KEY: 'k' };
    return resolve({ env }).settings;
  };
  const { broadcast } = broadcastIn(t, folder, settings(size), { gather: (wish) => looks.gather(wish) });
  return { looks, settings, broadcast };
}

/** On the air, with a look at the machine begun that is not let to end; `looked` resolves once what it was for is done. */
async function amidALook(t: TestContext, server: RtmpServer, size: Readonly<Record<string, string>>) {
  const set = await stage(t, server, size);
  const { looks, broadcast } = set;
  await broadcast.start();
  await live(broadcast);
  const from = looks.begun.items.length;
  looks.hold();
  const looked = broadcast.devicesChanged();
  await looks.begun.waitFor(() => true, 10_000, from);
  return { ...set, looked };
}

const tiny = { VIDEO_WIDTH: '320', VIDEO_HEIGHT: '180' };
const hd = { VIDEO_WIDTH: '1280', VIDEO_HEIGHT: '720' };

/** Widths that each session was told of, one after the other. */
const widths = (server: RtmpServer): unknown[][] =>
  server.publishes.items.map(({ tags }) =>
    tags.items
      .filter(({ type }) => type === 18)
      .flatMap(({ body }) => decodeAmf(body))
      .flatMap((value) => (typeof value === 'object' && value && 'width' in value ? [value.width] : [])),
  );

const hdArrives = (server: RtmpServer) => until(() => widths(server).flat().includes(1280), 20_000, 'a session in HD');

test('a live change that comes in the middle of a look stays', async (t) => {
  await using server = await startRtmpServer();
  const { looks, settings, broadcast, looked } = await amidALook(t, server, tiny);
  await broadcast.apply(settings({ ...tiny, VIDEO_BITRATE_KBPS: '1500' }));
  assert.equal(broadcast.status().video?.bitrateKbps, 1500);
  looks.let();
  await looked;
  await broadcast.applied();
  assert.equal(broadcast.status().video?.bitrateKbps, 1500);
});

test('another format that comes in the middle of a look is what is sent, from its first session on', async (t) => {
  await using server = await startRtmpServer();
  const { looks, settings, broadcast, looked } = await amidALook(t, server, tiny);
  const applied = broadcast.apply(settings({}));
  looks.let();
  await Promise.all([looked, applied]);
  await broadcast.applied();
  await live(broadcast);
  assert.equal(broadcast.status().video?.width, 1280);
  await hdArrives(server);
  assert.deepEqual(widths(server), [[320], [1280]]);
});

test('a format that comes to the one on the air, in the middle of a look, leaves no output closed', async (t) => {
  await using server = await startRtmpServer();
  const { looks, settings, broadcast, looked } = await amidALook(t, server, {});
  const applied = broadcast.apply(settings(hd));
  looks.let();
  await Promise.all([looked, applied]);
  await server.publishes.waitFor(() => true, 20_000, 1);
  await live(broadcast);
});

test('outputs wait for pictures of the new format, though those of the one before are only just coming', async (t) => {
  await using server = await startRtmpServer();
  const { looks, settings, broadcast } = await stage(t, server, tiny);
  await broadcast.start();
  looks.hold();
  const applied = broadcast.apply(settings(hd));
  await until(() => (broadcast.status().hub?.frames ?? 0) > 0, 20_000, 'pictures of the first format');
  looks.let();
  await applied;
  await live(broadcast);
  await hdArrives(server);
  const told = widths(server);
  assert.ok(told.some((each) => each.length === 1));
  for (const each of told) assert.ok(each.length <= 1, `one session was told of ${each.join(', then ')}`);
});

test('what another broadcast was looked at for is not played in the next one', async (t) => {
  await using server = await startRtmpServer();
  const { looks, settings, broadcast, looked } = await amidALook(t, server, tiny);
  await broadcast.stopBroadcast();
  await broadcast.apply(settings({}));
  const started = broadcast.startBroadcast();
  await until(() => broadcast.status().actual !== 'idle', 10_000, 'the next broadcast');
  looks.let();
  await Promise.all([looked, started]);
  await live(broadcast);
  await hdArrives(server);
  assert.deepEqual(widths(server), [[320], [1280]]);
});

test('a camera that fails is named to the next look, and to that one only', async (t) => {
  await using server = await startRtmpServer();
  const folder = await folderFor(t);
  const storage = new Storage(folder, () => undefined);
  const looks = new Feed<readonly string[]>('cameras that failed');
  // No camera, whatever is claimed of it.
  const camera: Camera = {
    ...{ api: 'v4l2', path: '/dev/null', name: 'Claimed', driver: 'uvcvideo', controls: [] },
    formats: [{ fourcc: 'YUYV', width: 320, height: 180, fps: [30] }],
  };
  const env = { ...small, VIDEO_SOURCE: '/dev/null', STREAM_URL: server.url(), STREAM_KEY: 'k' };
  let machine: Machine | undefined;
  const { broadcast } = broadcastIn(t, folder, resolve({ env }).settings, {
    gather: async (wish, failed) => {
      looks.push([...failed]);
      return (machine ??= { ...(await machineFor(wish, storage, () => undefined)), cameras: [camera] });
    },
  });
  await broadcast.start();
  await until(() => broadcast.status().problems.some(({ code }) => code.startsWith('source_')), 30_000, 'the fault');
  await broadcast.devicesChanged();
  await broadcast.devicesChanged();
  const [first, ...others] = looks.items;
  assert.deepEqual(first, []);
  assert.deepEqual(others.slice(0, 2), [['/dev/null'], []]);
});

test('told to end in the middle of a look that a changed setting has asked for, it closes its outputs in order', async (t) => {
  const folder = await folderFor(t);
  // GStreamer's elements are asked for anew where something has come into a folder of plugins.
  const plugins = path.join(folder, 'plugins');
  await mkdir(plugins);
  const slow = path.join(plugins, 'slow');
  const look = `#!/bin/sh\nif [ -e '${slow}' ]; then sleep 61; fi\nPATH=$(echo "$PATH" | cut -d: -f2-) exec gst-inspect-1.0 "$@"\n`;
  await writeFile(path.join(folder, 'gst-inspect-1.0'), look, { mode: 0o755 });
  const show = (testPattern: string): Promise<void> =>
    writeFile(path.join(folder, 'makercast.yml'), JSON.stringify({ video: { testPattern } }));
  await show('bars');
  await using server = await startRtmpServer();
  const own = { PATH: `${folder}:${process.env['PATH']}`, GST_PLUGIN_PATH: plugins };
  const env = { ...small, STREAM_URL: server.url(), STREAM_KEY: 'k', ...own };
  await using agent = await startAgent(env, { cwd: folder });
  await agent.status(({ actual }) => actual === 'live');
  await writeFile(slow, '');
  await show('ball');
  await agent.descendant('sleep 61');
  assert.equal((await agent.stop()).code, 0);
  assert.ok((await server.published('k')).history.items.includes('deleteStream'), 'the server saw the stream end');
});
