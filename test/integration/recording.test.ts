/** Recording by makercast as a whole: without a server, while one is away, over ends of every kind, and over changes on the air. */
import assert from 'node:assert/strict';
import { readdir, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { describe, test } from 'node:test';
import { small, startAgent, type Agent, type Environment, type StatusDocument } from '../helpers/agent/agent.js';
import { folderFor } from '../helpers/command.js';
import { lipSync } from '../helpers/content/lipsync.js';
import { startNginx } from '../helpers/rtmp/nginx.js';
import { startRtmpServer } from '../helpers/rtmp/server.js';
import { analyse, type Analysis } from '../helpers/content/stream.js';

const withRecording: Environment = { ...small, RECORDING_ENABLED: '1', RECORDING_MIN_FREE_GB: '0.01' };

interface RecordingDocument {
  readonly state: string;
  readonly frames: number;
  readonly droppedFrames: number;
  readonly bytes: number;
  readonly file?: string;
  readonly fault?: { readonly code: string };
}
const recordingOf = (status: StatusDocument): RecordingDocument | undefined =>
  status['recording'] as RecordingDocument | undefined;

const recordings = async (folder: string): Promise<string[]> =>
  (await readdir(folder)).sort().map((name) => path.join(folder, name));
const recorded = (agent: Agent, frames: number, from = 0): Promise<StatusDocument> =>
  agent.status((status) => Number(recordingOf(status)?.frames) >= frames, 60_000, from);

/** It plays without an error, from a keyframe, without a gap. */
async function assertWhole(file: string): Promise<Analysis> {
  const found = await analyse(file);
  assert.deepEqual(found.decodeErrors, [], file);
  assert.ok(found.video?.startsWithKeyframe && found.video.monotonic && found.audio?.monotonic);
  assert.ok(found.video.largestGapMs < 200, `${found.video.largestGapMs} ms without a picture`);
  return found;
}

test('no server is configured: what is on the air is recorded, and the end is in order', async (t) => {
  const folder = await folderFor(t);
  await using agent = await startAgent({ ...withRecording, RECORDING_FOLDER: folder });
  const status = await recorded(agent, 150);
  assert.deepEqual([status.wanted, status.actual, status.problems], ['on air', 'live', []]);
  assert.equal((await agent.stop()).code, 0);
  await agent.gone();
  const [file, ...more] = await recordings(folder);
  assert.deepEqual(more, []);
  const { video, audio } = await assertWhole(file!);
  assert.ok(video!.packets >= 150);
  // The end is there too, not only what the last whole fragment holds.
  assert.ok(
    Math.abs(video!.seconds - audio!.seconds) < 0.3,
    `${video!.seconds} s of picture, ${audio!.seconds} of sound`,
  );
  assert.equal(`${video!.width}x${video!.height}`, '320x180');
  assert.deepEqual([audio!.codec, audio!.rate, audio!.channels], ['aac', 48_000, 2]);
});

test('flash and beep stand together in it, also after a split', async (t) => {
  const folder = await folderFor(t);
  const env = {
    ...withRecording,
    VIDEO_TEST_PATTERN: 'sync',
    RECORDING_FOLDER: folder,
    RECORDING_SPLIT_MINUTES: '0.1',
  };
  await using agent = await startAgent(env);
  await recorded(agent, 400);
  await agent.stop();
  // The last one is too short to be judged.
  const files = (await recordings(folder)).slice(0, -1);
  assert.ok(files.length >= 2);
  for (const file of files) {
    const { medianMs, worstMs } = await lipSync(file, 'flip');
    assert.ok(
      Math.abs(medianMs) <= 40 && Math.abs(worstMs) <= 40,
      `${path.basename(file)}: ${medianMs}, ${worstMs} ms`,
    );
  }
});

test('it goes where the data is unless told otherwise, and is off by default', async (t) => {
  const dataFolder = await folderFor(t);
  await using agent = await startAgent(withRecording, { dataFolder });
  const file = recordingOf(await recorded(agent, 30))?.file;
  assert.equal(path.dirname(file!), path.join(dataFolder, 'recordings'));
  await agent.stop();
  await using other = await startAgent({ ...withRecording, RECORDING_ENABLED: '0', MAKERCAST_SUPERVISED: '1' });
  const status = await other.status((each) => each.actual === 'idle');
  assert.equal(status['recording'], undefined);
  await other.stop();
});

test('the server is killed and comes back: the recording has no gap', async (t) => {
  const folder = await folderFor(t);
  await using nginx = await startNginx();
  await using agent = await startAgent({
    ...withRecording,
    RECORDING_FOLDER: folder,
    STREAM_URL: nginx.url(),
    STREAM_KEY: 'cam',
  });
  await agent.status((status) => status.actual === 'live');
  await nginx.kill();
  const down = await agent.status((status) => status.outputs['main']?.state === 'waiting');
  const goes = await recorded(agent, recordingOf(down)!.frames + 120, agent.log.items.length);
  assert.equal(recordingOf(goes)!.state, 'recording');
  const from = agent.log.items.length;
  await nginx.restart();
  await agent.status((status) => status.actual === 'live', 60_000, from);
  await agent.stop();
  const [file, ...more] = await recordings(folder);
  assert.deepEqual(more, []);
  const { video } = await assertWhole(file!);
  const last = agent.log.items.findLast(({ event }) => event === 'status')!['status'] as StatusDocument;
  assert.equal(recordingOf(last)!.droppedFrames, 0);
  assert.ok(video!.packets >= recordingOf(goes)!.frames);
});

describe('killed in mid-recording', () => {
  test('delivery: up to the last complete fragment all plays, and the next file goes on', async (t) => {
    const folder = await folderFor(t);
    await using agent = await startAgent({ ...withRecording, RECORDING_FOLDER: folder });
    const before = await recorded(agent, 100);
    process.kill((await agent.descendant('makercast-delivery')).pid, 'SIGKILL');
    // A status line of before may still be on its way.
    const died = agent.log.items.indexOf(await agent.event('child_died'));
    await recorded(agent, 60, died);
    await agent.stop();
    const files = await recordings(folder);
    assert.equal(files.length, 2);
    const { video } = await assertWhole(files[0]!);
    assert.ok(video!.packets >= recordingOf(before)!.frames);
    await assertWhole(files[1]!);
  });

  test('the agent and all: so does what it left behind, and the next run has another number', async (t) => {
    const folder = await folderFor(t);
    await using agent = await startAgent({ ...withRecording, RECORDING_FOLDER: folder });
    await recorded(agent, 100);
    await agent.stop('SIGKILL');
    await agent.gone();
    await using next = await startAgent({ ...withRecording, RECORDING_FOLDER: folder });
    await recorded(next, 30);
    await next.stop();
    const files = await recordings(folder);
    assert.deepEqual(
      files.map((file) => /makercast-(\d+)-/.exec(file)?.[1]),
      ['000001', '000002'],
    );
    for (const file of files) await assertWhole(file);
  });
});

test('changed on the air: another format begins another file, and so does another folder; off closes it', async (t) => {
  const folder = await folderFor(t);
  const [first, second] = [path.join(folder, 'first'), path.join(folder, 'second')];
  const settings = (height: number, recording: object): Promise<void> =>
    writeFile(
      path.join(folder, 'makercast.yml'),
      JSON.stringify({
        video: { source: 'test', width: (height * 16) / 9, height, bitrateKbps: 800 },
        audio: { source: 'test' },
        recording: { enabled: true, minFreeGb: 0.01, ...recording },
      }),
    );
  await settings(360, { folder: first });
  await using server = await startRtmpServer();
  await using agent = await startAgent({ STREAM_URL: server.url(), STREAM_KEY: 'k' }, { cwd: folder });
  await recorded(agent, 100);
  await settings(180, { folder: first });
  await agent.status((status) => /-000002-/.test(recordingOf(status)?.file ?? ''), 60_000);
  const before = recordingOf(await agent.status(() => true, 20_000, agent.log.items.length))!.frames;
  await recorded(agent, before + 60, agent.log.items.length);
  await settings(180, { folder: second });
  await agent.status((status) => recordingOf(status)?.file?.startsWith(second) ?? false, 60_000);
  await recorded(agent, 60, agent.log.items.length);
  await settings(180, { folder: second, enabled: false });
  const off = await agent.status((status) => status['recording'] === undefined, 60_000, agent.log.items.length);
  assert.equal(off.wanted, 'on air');
  await agent.stop();

  const sizes: string[] = [];
  for (const file of [...(await recordings(first)), ...(await recordings(second))]) {
    const { video } = await assertWhole(file);
    sizes.push(`${video!.width}x${video!.height}`);
  }
  assert.deepEqual(sizes, ['640x360', '320x180', '320x180']);
});

test('a folder that cannot be written disturbs no server, and is in the status document', async (t) => {
  const folder = await folderFor(t);
  await writeFile(path.join(folder, 'file'), '');
  await using server = await startRtmpServer();
  await using agent = await startAgent({
    ...withRecording,
    RECORDING_FOLDER: path.join(folder, 'file'),
    STREAM_URL: server.url(),
    STREAM_KEY: 'k',
  });
  const status = await agent.status(
    (each) => recordingOf(each)?.fault !== undefined && each.outputs['main']?.state === 'live',
  );
  assert.equal(recordingOf(status)!.fault!.code, 'recording_unwritable');
  assert.equal(status.actual, 'degraded');
  const line = await agent.event('recording_failed');
  assert.match(line.message, /cannot be written to .* Give this user permission/);
  const frames = Number(status.outputs['main']!['frames']);
  await agent.status((each) => Number(each.outputs['main']?.['frames']) > frames + 60);
  await agent.stop();
});
