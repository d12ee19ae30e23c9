/** On the air or not, as commanded: kept over restarts and power cuts, and never in the way of the air by mistake. */
import assert from 'node:assert/strict';
import { readdir, readFile, stat, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { describe, test } from 'node:test';
import { resolve } from '../../agent/config/resolve.js';
import { Storage } from '../../agent/machine/storage/storage.js';
import { Intent } from '../../agent/broadcast/intent.js';
import { small, startAgent } from '../helpers/agent/agent.js';
import { broadcastIn, live, smallTo } from '../helpers/agent/broadcast.js';
import { folderFor } from '../helpers/command.js';
import { cuttableDisk, noCuttableDisk } from '../helpers/disk.js';
import { until, within } from '../helpers/feed.js';
import { startRtmpServer } from '../helpers/rtmp/server.js';

test('off the air by command, over a restart, and on again', async (t) => {
  const folder = await folderFor(t);
  await using server = await startRtmpServer();
  const one = broadcastIn(t, folder, smallTo(server.url())).broadcast;
  assert.equal(one.status().actual, 'starting', 'what is about to begin is not idle');
  await one.start();
  await live(one);
  await one.stopBroadcast();
  assert.deepEqual([one.status().wanted, one.status().actual], ['idle', 'idle']);
  const connection = await server.published('k');
  assert.ok(connection.history.items.includes('deleteStream'), 'the server saw the stream end');
  await one.stop();

  const two = broadcastIn(t, folder, smallTo(server.url())).broadcast;
  await two.start();
  assert.deepEqual([two.status().wanted, two.status().actual], ['idle', 'idle']);
  // What is edited meanwhile does not put it on the air.
  await two.apply(
    resolve({ env: { ...small, AUDIO_GAIN_DB: '3', STREAM_URL: server.url(), STREAM_KEY: 'k' } }).settings,
  );
  assert.equal(two.status().actual, 'idle');
  await two.startBroadcast();
  await live(two);
  await two.stop();

  const three = broadcastIn(t, folder, smallTo(server.url())).broadcast;
  await three.start();
  await live(three);
});

test('commands that come fast end as the last one said', async (t) => {
  const folder = await folderFor(t);
  await using server = await startRtmpServer();
  const { broadcast } = broadcastIn(t, folder, smallTo(server.url()));
  await broadcast.start();
  await Promise.all([
    broadcast.stopBroadcast(),
    broadcast.startBroadcast(),
    broadcast.stopBroadcast(),
    broadcast.startBroadcast(),
  ]);
  await live(broadcast);
  await Promise.all([broadcast.startBroadcast(), broadcast.stopBroadcast()]);
  assert.equal(broadcast.status().actual, 'idle');
  const kept = JSON.parse(await readFile(path.join(folder, 'broadcast.json'), 'utf8')) as unknown;
  assert.deepEqual(kept, { format: 1, value: { wanted: 'idle' } });
});

test(
  'a card that hangs holds up no stop and no start, and is told of them once it goes on',
  { skip: noCuttableDisk },
  async (t) => {
    await using disk = await cuttableDisk();
    await using server = await startRtmpServer();
    const { broadcast, faults } = broadcastIn(t, disk.folder, smallTo(server.url()));
    await broadcast.start();
    await live(broadcast);
    await disk.freeze();
    await within(broadcast.stopBroadcast(), 10_000, 'a stop');
    assert.deepEqual([broadcast.status().wanted, broadcast.status().actual], ['idle', 'idle']);
    assert.match(faults[0]!.message, /takes more than 1 s/);
    await within(broadcast.startBroadcast(), 10_000, 'a start');
    await live(broadcast);
    await within(broadcast.stopBroadcast(), 10_000, 'another stop');
    await disk.thaw();
    const kept = (): Promise<unknown> => new Intent(new Storage(disk.folder, () => undefined)).load();
    await until(async () => (await kept()) === 'idle', 10_000, 'the last command on the card');
    await broadcast.stop();
  },
);

test('paused for an update: off the air in order, whatever is edited; on again when it does not come, and after a restart', async (t) => {
  const folder = await folderFor(t);
  await using server = await startRtmpServer();
  const settings = smallTo(server.url());
  const one = broadcastIn(t, folder, settings).broadcast;
  await one.start();
  await live(one);
  await one.pause();
  assert.deepEqual([one.status().wanted, one.status().actual], ['on air', 'idle']);
  const connection = await server.published('k');
  assert.ok(connection.history.items.includes('deleteStream'), 'the server saw the stream end');
  await one.apply({ ...settings, audio: { ...settings.audio, gainDb: 3 } });
  assert.equal(one.status().actual, 'idle');
  await one.resume();
  await live(one);
  await one.pause();
  await one.startBroadcast();
  await live(one);
  // A stop that comes meanwhile is kept.
  await one.pause();
  await one.stopBroadcast();
  await one.resume();
  assert.equal(one.status().actual, 'idle');
  await one.startBroadcast();
  await one.pause();
  await one.stop();

  const two = broadcastIn(t, folder, settings).broadcast;
  await two.start();
  await live(two);
});

describe('the agent', () => {
  const commanded = (folder: string, text: string) => writeFile(path.join(folder, 'broadcast.json'), text);

  test('stays off the air where that was the last command, and says so', async (t) => {
    const dataFolder = await folderFor(t);
    await commanded(dataFolder, '{"format":1,"value":{"wanted":"idle"}}');
    await using server = await startRtmpServer();
    await using agent = await startAgent({ ...small, STREAM_URL: server.url(), STREAM_KEY: 'k' }, { dataFolder });
    const status = await agent.status((each) => each.actual === 'idle');
    assert.deepEqual([status.wanted, status.problems], ['idle', []]);
    assert.match((await agent.event('idle')).message, /stopped by a command/);
    await agent.stop();
  });

  for (const [name, text] of Object.entries({
    torn: '{"format":1,"val',
    empty: '',
    zeros: '\0'.repeat(50),
    newer: '{"format":2,"value":{"wanted":"idle"}}',
    nonsense: '{"format":1,"value":{"wanted":"perhaps"}}',
  })) {
    test(`with a state that is ${name} goes on the air, with a warning`, async (t) => {
      const dataFolder = await folderFor(t);
      await commanded(dataFolder, text);
      await using server = await startRtmpServer();
      await using agent = await startAgent({ ...small, STREAM_URL: server.url(), STREAM_KEY: 'k' }, { dataFolder });
      await agent.status((status) => status.actual === 'live');
      assert.equal((await agent.event('state_set_aside')).level, 'warn');
      assert.equal(await readFile(path.join(dataFolder, 'broadcast.json.bad-1'), 'utf8'), text);
      await agent.stop();
    });
  }

  test('that was killed in mid-broadcast comes back on the air, and an end in order is no command', async (t) => {
    const dataFolder = await folderFor(t);
    await using server = await startRtmpServer();
    const env = { ...small, STREAM_URL: server.url(), STREAM_KEY: 'k' };
    for (const signal of ['SIGKILL', 'SIGTERM', 'SIGTERM'] as const) {
      await using agent = await startAgent(env, { dataFolder });
      await agent.status((status) => status.actual === 'live');
      await agent.stop(signal);
      await agent.gone();
    }
  });

  test('writes nothing while it is on the air', async (t) => {
    const dataFolder = await folderFor(t);
    await using server = await startRtmpServer();
    await using agent = await startAgent({ ...small, STREAM_URL: server.url(), STREAM_KEY: 'k' }, { dataFolder });
    await agent.status((status) => status.actual === 'live');
    const state = async () =>
      Promise.all(
        (await readdir(dataFolder)).map(async (name) => [name, (await stat(path.join(dataFolder, name))).ctimeMs]),
      );
    const before = [await state(), (await stat(dataFolder)).ctimeMs];
    await agent.status((status) => Number(status.outputs['main']?.['frames']) > 300, 60_000);
    assert.deepEqual([await state(), (await stat(dataFolder)).ctimeMs], before);
    await agent.stop();
  });
});

test('a command holds over a power cut from the moment that it was taken', { skip: noCuttableDisk }, async (t) => {
  await using disk = await cuttableDisk();
  const folder = path.join(disk.folder, 'data');
  await using server = await startRtmpServer();
  const { broadcast, faults } = broadcastIn(t, folder, smallTo(server.url()));
  await broadcast.start();
  for (const wanted of ['idle', 'on', 'idle'] as const) {
    await (wanted === 'idle' ? broadcast.stopBroadcast() : broadcast.startBroadcast());
    await using found = await disk.afterPowerCut();
    const after = new Intent(new Storage(path.join(found.folder, 'data'), (fault) => faults.push(fault)));
    assert.equal(await after.load(), wanted);
  }
  assert.deepEqual(faults, []);
  await broadcast.stop();
});
