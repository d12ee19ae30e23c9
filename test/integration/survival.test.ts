/** What goes wrong around a broadcast, or twice at once: nobody reads its log, /tmp is swept, a card hangs, settings come at a bad moment. */
import assert from 'node:assert/strict';
import { readdir, rename, rm, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { describe, test } from 'node:test';
import { small, startAgent, type Agent, type StatusDocument } from '../helpers/agent/agent.js';
import { broadcastIn, live, smallTo } from '../helpers/agent/broadcast.js';
import { folderFor, run } from '../helpers/command.js';
import { cuttableDisk, noCuttableDisk } from '../helpers/disk.js';
import { until } from '../helpers/feed.js';
import { isPicture, pictureGaps } from '../helpers/content/flv.js';
import { processTree } from '../helpers/agent/processes.js';
import { startRtmpServer, type RtmpServer } from '../helpers/rtmp/server.js';

const to = (server: RtmpServer) => ({ ...small, STREAM_URL: server.url(), STREAM_KEY: 'k' });
const onAir = (agent: Agent, from = 0): Promise<StatusDocument> =>
  agent.status(({ actual }) => actual === 'live', 30_000, from);

test('whoever read the log is gone: the broadcast goes on, and ends in order', async () => {
  await using server = await startRtmpServer();
  await using agent = await startAgent(to(server));
  await onAir(agent);
  agent.child.stdout!.destroy();
  agent.child.stderr!.destroy();
  const { tags, history } = server.publishes.items[0]!;
  await tags.waitFor(isPicture, 15_000);
  const { timestamp } = tags.items.at(-1)!;
  // Several lines of status were to be written by then.
  await tags.waitFor((tag) => isPicture(tag) && tag.timestamp > timestamp + 4000, 20_000);
  assert.equal((await agent.stop()).code, 0);
  assert.ok(history.items.includes('deleteStream'), history.items.join(', '));
});

test('the capture process stands still for a moment: no picture is missing, however far sound is ahead then', async (t) => {
  await using server = await startRtmpServer();
  const { broadcast } = broadcastIn(t, await folderFor(t), smallTo(server.url()));
  await broadcast.start();
  await live(broadcast);
  const { tags } = server.publishes.items[0]!;
  const come = (ms: number): Promise<unknown> =>
    tags.waitFor((tag) => isPicture(tag) && tag.timestamp > ms, 30_000, tags.items.length);
  await come(2000);
  const { pid } = processTree(process.pid).find(({ command }) => command.includes('makercast-capture'))!;
  // Longer, and it would be taken for hung; so that the tests' own process may stand still meanwhile, another one does it.
  await run('sh', ['-c', `kill -STOP ${pid}; sleep 0.8; kill -CONT ${pid}`]);
  await come(tags.items.at(-1)!.timestamp + 3000);
  const longest = Math.max(...pictureGaps(tags.items));
  assert.ok(longest < 50, `${longest} ms between two pictures`);
});

describe('the folder of the run', () => {
  test('is swept away in mid-broadcast: another capture process, and another delivery, still find each other', async () => {
    await using server = await startRtmpServer();
    await using agent = await startAgent(to(server));
    await onAir(agent);
    const names = await readdir(os.tmpdir());
    const swept = names.find((name) => name.startsWith(`makercast-run-${agent.pid}-`));
    await rm(path.join(os.tmpdir(), swept!), { recursive: true });
    process.kill((await agent.descendant('makercast-capture')).pid, 'SIGKILL');
    const { tags } = server.publishes.items[0]!;
    const from = agent.log.items.length;
    await agent.event('playing', 20_000, from);
    const seen = tags.items.length;
    await tags.waitFor(isPicture, 15_000, seen);

    await rm(path.join(os.tmpdir(), swept!), { recursive: true });
    process.kill((await agent.descendant('makercast-delivery')).pid, 'SIGKILL');
    const next = await server.published('k', { from: 1 });
    await next.tags.waitFor(isPicture, 15_000);
    await agent.stop();
    assert.ok(!(await readdir(os.tmpdir())).includes(swept!), 'it goes with the program');
  });

  test('cannot be made where such folders usually are: it is made elsewhere', async () => {
    await using server = await startRtmpServer();
    await using agent = await startAgent({ ...to(server), TMPDIR: '/proc' });
    await onAir(agent);
    assert.equal((await agent.stop()).code, 0);
  });
});

test('delivery is killed, and the server still holds its session: that is our own ghost, and tried again fast', async () => {
  const taken = { publish: { status: 'NetStream.Publish.BadName', description: 'Already publishing' } };
  await using server = await startRtmpServer((nth) => (nth === 1 || nth === 2 ? taken : {}));
  await using agent = await startAgent(to(server));
  await onAir(agent);
  process.kill((await agent.descendant('makercast-delivery')).pid, 'SIGKILL');
  // What is refused for good is tried again after 20 s at the soonest.
  await server.published('k', { from: 1, deadlineMs: 18_000 });
  await agent.stop();
});

test('nothing is left of the settings file, in mid-broadcast and after a power cut: what it had set stays', async (t) => {
  const cwd = await folderFor(t);
  const file = path.join(cwd, 'makercast.yml');
  const options = { cwd, dataFolder: path.join(cwd, 'data') };
  const env = { ...small, MAKERCAST_SUPERVISED: '1' };
  const unreadable = ({ problems }: StatusDocument): boolean => problems[0]?.code === 'settings_unreadable';
  await using server = await startRtmpServer();
  const settings = JSON.stringify({ outputs: { main: { url: server.url(), key: 'k' } } });
  await writeFile(file, settings);
  {
    await using agent = await startAgent(env, options);
    await onAir(agent);
    for (const spoil of [() => rename(file, `${file}~`), () => writeFile(file, '')]) {
      let from = agent.log.items.length;
      await spoil();
      const { outputs } = await agent.status(unreadable, 20_000, from);
      assert.equal(outputs['main']?.state, 'live');
      from = agent.log.items.length;
      await writeFile(file, settings);
      await onAir(agent, from);
    }
    assert.equal(server.publishes.items.length, 1);
    await writeFile(file, '');
    await agent.stop('SIGKILL');
  }
  await using agent = await startAgent(env, options);
  await agent.status((status) => unreadable(status) && status.outputs['main']?.state === 'live');
  await writeFile(file, '{}');
  await agent.event('idle');
  await agent.stop();
});

test('settings that cannot be followed come while the capture process is away: it is started all the same', async (t) => {
  await using server = await startRtmpServer();
  const settings = smallTo(server.url());
  const { broadcast } = broadcastIn(t, await folderFor(t), settings);
  await broadcast.start();
  await live(broadcast);
  const capture = () => processTree(process.pid).find(({ command }) => command.includes('makercast-capture'));
  const has = (code: string) => () => broadcast.status().problems.some((problem) => problem.code === code);
  process.kill(capture()!.pid, 'SIGKILL');
  await until(has('child_died'), 10_000, 'the end of the capture process');
  await broadcast.apply({ ...settings, video: { ...settings.video, encoder: 'v4l2h264enc' } });
  await until(has('encoder_missing'), 10_000, 'an encoder that is not there');
  await broadcast.apply(settings);
  await live(broadcast);
  assert.equal(server.publishes.items.length, 1);
});

test('another size and an encoder that is not there: what is on stays on, whatever comes then; and the size when it can be had', async (t) => {
  await using server = await startRtmpServer();
  const settings = smallTo(server.url());
  const { broadcast } = broadcastIn(t, await folderFor(t), settings);
  await broadcast.start();
  await live(broadcast);
  const video = { ...settings.video, width: 480, height: 270 };
  const unfit = { ...settings, video: { ...video, encoder: 'v4l2h264enc' as const } };
  await broadcast.apply(unfit);
  assert.deepEqual(
    broadcast.status().problems.map(({ code }) => code),
    ['encoder_missing'],
  );
  await broadcast.apply({ ...unfit, audio: { ...unfit.audio, gainDb: 3 } });
  await broadcast.applied();
  const [first] = server.publishes.items;
  const seen = first!.tags.items.length;
  await first!.tags.waitFor(isPicture, 10_000, seen);
  assert.equal(server.publishes.items.length, 1);

  // The second comes while the machine is looked at for the first.
  const changes = [
    { ...settings, slate: { ...settings.slate, text: 'another' } },
    { ...settings, video },
  ];
  await Promise.all(changes.map((each) => broadcast.apply(each)));
  await server.published('k', { from: 1 });
  await live(broadcast);
  assert.deepEqual([broadcast.status().video?.width, broadcast.status().video?.height], [480, 270]);
});

test(
  'a card hangs in mid-recording, and delivery dies: what the kernel does not let go of is left behind',
  { skip: noCuttableDisk },
  async () => {
    await using disk = await cuttableDisk();
    await using server = await startRtmpServer();
    const recording = { RECORDING_ENABLED: '1', RECORDING_FOLDER: disk.folder, RECORDING_MIN_FREE_GB: '0.01' };
    await using agent = await startAgent({ ...to(server), ...recording });
    await agent.event('recording', 30_000);
    await disk.freeze();
    // More than one fragment of 2 s: by then the write of the first has begun, and does not return.
    const waiting = ({ recording }: StatusDocument): boolean =>
      Number((recording as { waitingBytes?: number } | undefined)?.waitingBytes) > 400_000;
    await agent.status(waiting, 20_000, agent.log.items.length);
    process.kill((await agent.descendant('makercast-delivery')).pid, 'SIGKILL');
    const next = await server.published('k', { from: 1, deadlineMs: 30_000 });
    await next.tags.waitFor(isPicture, 15_000);
    // Nor does the end wait for it.
    const { code } = await agent.stop();
    await disk.thaw();
    assert.equal(code, 0, 'it ended before it had to be cut short');
    await agent.gone();
  },
);
