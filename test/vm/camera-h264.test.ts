/** A webcam that encodes by itself, with a keyframe each 10 s unless its extension unit is told otherwise: told, and on the air. */
import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import path from 'node:path';
import { after, test } from 'node:test';
import { runAgent, startAgent, type Agent, type Environment, type StatusDocument } from '../helpers/agent/agent.js';
import { temporaryFolder } from '../helpers/command.js';
import { startNginx, type Nginx } from '../helpers/rtmp/nginx.js';
import { analyse, colour } from '../helpers/content/stream.js';
import { c920, UsbCamera } from './devices/usb-camera.js';
import { mustBeGuest } from './guest.js';
import { recording } from './recording.js';

mustBeGuest();

const fps = 5;
const small: Environment = {
  VIDEO_WIDTH: '320',
  VIDEO_HEIGHT: '240',
  // A simulated bus on an emulated processor carries no more with certainty.
  VIDEO_FPS: String(fps),
  VIDEO_ADAPTIVE: 'false',
};
const unit = 12;

/** What one makercast has found out of the encoders, the next knows: each of them would try them anew. */
const data = await temporaryFolder();
after(data.remove);

interface OnAir extends AsyncDisposable {
  readonly agent: Agent;
  readonly nginx: Nginx;
  /** Its settings file from now on. */
  set(settings: object): Promise<void>;
}

async function onAir(settings: object, env: Environment = {}): Promise<OnAir> {
  const { folder, remove } = await temporaryFolder();
  const set = (wanted: object): Promise<void> => writeFile(path.join(folder, 'makercast.yml'), JSON.stringify(wanted));
  await set(settings);
  const nginx = await startNginx({ record: true });
  const to = { STREAM_URL: nginx.url(), STREAM_KEY: 'onair' };
  const agent = await startAgent({ ...small, ...to, ...env }, { cwd: folder, dataFolder: data.folder });
  return {
    ...{ agent, nginx, set },
    async [Symbol.asyncDispose]() {
      await agent[Symbol.asyncDispose]();
      await nginx[Symbol.asyncDispose]();
      await remove();
    },
  };
}

const kbpsOf = (status: StatusDocument): number => (status['hub'] as { kbps: number } | undefined)?.kbps ?? 0;
/** A picture that a simulated bus loses on a busy machine is missed by those that refer to it: that is not what is looked at here. */
const isWrong = (error: string): boolean => !error.includes('Frame num gap');
const passes = ({ video, actual }: StatusDocument): boolean => video?.encoder === 'passthrough' && actual === 'live';

test('probe and plan say that the camera can be told, and what it would be told', async () => {
  await using camera = await UsbCamera.plug(c920, ['h264'], { unit: { id: unit } });
  const { stdout } = await runAgent(['plan'], { ...small, VIDEO_BITRATE_KBPS: '400' }, { deadlineMs: 120_000 });
  assert.match(stdout, /^# camera .*, 320x240 at 5 fps, H\.264 as it comes 400 kbit\/s;/m);
  assert.match(stdout, /^# the camera's H\.264 encoder is set up by unit 12: a keyframe every 2 s, 400 kbit\/s$/m);
  const probed = await runAgent(['probe', '--json'], {}, { deadlineMs: 120_000 });
  const { cameras } = JSON.parse(probed.stdout) as { cameras: readonly Record<string, unknown>[] };
  assert.deepEqual(
    cameras.map(({ path, encoderUnit }) => ({ path, encoderUnit })),
    [{ path: await camera.node(), encoderUnit: { id: unit, givesKeyframes: true, changesBitrate: true } }],
  );
});

test('keyframes come every 2 s, and the bitrate changes on the air', async () => {
  await using camera = await UsbCamera.plug(c920, ['h264', 'mjpeg'], { unit: { id: unit } });
  const video = (bitrateKbps: number) => ({ video: { bitrateKbps } });
  await using on = await onAir(video(400));
  const { agent, nginx } = on;
  await agent.event('playing', 60_000);
  const told = camera.seen.items.indexOf('unit commit 2000 400000');
  const started = camera.seen.items.indexOf('start h264 320x240 2000000');
  assert.ok(told >= 0 && told < started, camera.seen.items.join('\n'));
  const frames = ({ hub }: StatusDocument): number => (hub as { frames: number } | undefined)?.frames ?? 0;
  const before = await agent.status((status) => passes(status) && frames(status) >= 6 * fps, 60_000);
  assert.equal(before.video?.bitrateKbps, 400);
  const capture = await agent.descendant('makercast-capture');
  await on.set(video(2000));
  await camera.seen.waitFor((line) => line === 'unit bitrate 2000000', 30_000);
  const from = agent.log.items.length;
  const after = await agent.status((status) => kbpsOf(status) > kbpsOf(before) + 800, 30_000, from);
  assert.equal(after.video?.bitrateKbps, 2000);
  assert.equal((await agent.descendant('makercast-capture')).pid, capture.pid);
  const file = await recording(agent, nginx, 20 * fps);
  const area = { y: 0, width: 0.2, height: 1 };
  const [{ video: found, decodeErrors }, left] = await Promise.all([
    analyse(file),
    colour(file, { ...area, x: 0.1 }, 1),
  ]);
  assert.deepEqual(decodeErrors.filter(isWrong), []);
  assert.equal(`${found!.codec} ${found!.width}x${found!.height}`, 'h264 320x240');
  assert.ok(left[0] > 150 && left[2] < 80, `the left half is ${left}`);
  assert.ok(found!.keyframeIntervals.length >= 5);
  // A machine that is busy with other things stands still at times, and the stream's clock goes on.
  const usual = found!.keyframeIntervals.toSorted((one, other) => one - other)[found!.keyframeIntervals.length >> 1]!;
  assert.ok(Math.abs(usual - 2) < 0.5, found!.keyframeIntervals.join());
  assert.equal(camera.seen.items.filter((line) => line.startsWith('start ')).length, 1);
  assert.equal(nginx.calls.items.filter(({ call }) => call === 'publish').length, 1);
});

test('another distance is followed too, and who joins in between gets a keyframe that was asked for', async () => {
  await using camera = await UsbCamera.plug(c920, ['h264', 'mjpeg'], { unit: { id: unit } });
  await using on = await onAir({ video: { keyframeSeconds: 6 } });
  const { agent, nginx } = on;
  await agent.status(passes, 90_000);
  assert.ok(
    camera.seen.items.some((line) => line.startsWith('unit commit 6000 ')),
    camera.seen.items.join('\n'),
  );
  // Two whole groups first: the third has just begun, so that it is in its middle when the output has come up and asks.
  const frames = ({ hub }: StatusDocument): number => (hub as { frames: number } | undefined)?.frames ?? 0;
  await agent.status((status) => frames(status) >= 12 * fps, 60_000);
  const asked = camera.seen.items.length;
  await on.set({ video: { keyframeSeconds: 6 }, outputs: { late: { url: nginx.url(), key: 'late' } } });
  await camera.seen.waitFor((line) => line === 'unit keyframe', 30_000, asked);
  await agent.status(({ outputs }) => outputs['late']?.state === 'live', 60_000, agent.log.items.length);
  await recording(agent, nginx, 30 * fps);
  const first = (await nginx.recordings()).find((file) => path.basename(file).startsWith('onair'));
  const { video, decodeErrors } = await analyse(first!);
  assert.deepEqual(decodeErrors.filter(isWrong), []);
  const intervals = video!.keyframeIntervals.slice(1);
  assert.ok(
    intervals.some((interval) => Math.abs(interval - 6) < 0.5),
    intervals.join(),
  );
  // The one that was asked for, unless it fell on the end of a group.
  assert.ok(
    intervals.some((interval) => interval < 5.5),
    intervals.join(),
  );
  assert.deepEqual(
    (await agent.status()).problems.map(({ code }) => code).filter((code) => code === 'keyframes_sparse'),
    [],
  );
});

for (const [but, said] of [
  ['refuses', /does not allow its H\.264 encoder to be configured, .* \(E\w+\)/],
  ['ignores', undefined],
] as const) {
  test(`a camera that ${but} what it is told is encoded here once that has been seen, and it is said`, async () => {
    await using camera = await UsbCamera.plug(c920, ['h264', 'mjpeg'], { unit: { id: unit, but } });
    await using on = await onAir({});
    const { agent, nginx } = on;
    const isNote = (pattern: RegExp) => (line: { event: string; message: string }) =>
      line.event === 'setting_not_followed' && pattern.test(line.message);
    if (said) await agent.waitFor(isNote(said), 60_000);
    await agent.status(passes, 60_000);
    await agent.waitFor(isNote(/has given no keyframe for 5 s.* It is encoded here instead/), 60_000);
    await camera.seen.waitFor((line) => line.startsWith('start mjpeg 320x240'), 60_000);
    const from = agent.log.items.length;
    await agent.status(({ video, actual }) => video?.encoder === 'x264enc' && actual === 'live', 60_000, from);
    assert.equal(nginx.calls.items.filter(({ call }) => call === 'publish').length, 1);
    assert.equal(
      camera.seen.items.some((line) => line.startsWith('unit commit ')),
      but === 'ignores',
    );
  });
}

test('a camera without a unit streams as it is, where that is insisted on, and the status says what is amiss', async () => {
  await using camera = await UsbCamera.plug(c920, ['h264', 'mjpeg']);
  await using on = await onAir({}, { VIDEO_ENCODER: 'passthrough' });
  const { agent } = on;
  const isSparse = ({ problems }: StatusDocument): boolean => problems.some(({ code }) => code === 'keyframes_sparse');
  const status = await agent.status(isSparse, 90_000);
  assert.deepEqual([status.video?.encoder, status.actual], ['passthrough', 'degraded']);
  assert.equal(status.video?.bitrateKbps, undefined);
  assert.deepEqual(
    camera.seen.items.filter((line) => line.startsWith('unit ')),
    [],
  );
});
