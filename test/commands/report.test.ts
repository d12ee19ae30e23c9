/** The parts of a report: what is counted, what of the kernel's log is kept, who takes what, and what no stranger should read. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { test } from 'node:test';
import { asked, usualName } from '../../agent/commands/report/asked.js';
import { concerning } from '../../agent/commands/report/kernel.js';
import { anonymous, block, cell, json, table } from '../../agent/commands/report/markdown.js';
import { outcome } from '../../agent/commands/report/outcome.js';
import { Pictures } from '../../agent/commands/report/pictures.js';
import { rehearse } from '../../agent/commands/report/rehearsal.js';
import { suspects } from '../../agent/commands/report/state.js';
import { TagCutter } from '../../agent/formats/flv/tag.js';
import { kernelLog } from '../../agent/machine/host/kernel-log.js';
import { busiest, processes } from '../../agent/machine/host/processes.js';
import { childEnvironment, type Runner } from '../../agent/machine/host/run.js';
import type { Plan } from '../../pipelines/plan.js';
import { ended, mortal, run, temporaryFolder } from '../helpers/command.js';
import { until } from '../helpers/feed.js';
import { sample } from '../helpers/content/media.js';
import { processInfo } from '../helpers/agent/processes.js';
import { avcHeader, picture, sound } from '../helpers/content/tags.js';

test('pictures, keyframe distances and bitrate are what ffprobe counts', async (t) => {
  const { folder, remove } = await temporaryFolder();
  t.after(remove);
  const film = path.join(folder, 'film.flv');
  await run('ffmpeg', ['-v', 'error', '-i', await sample('h264.mkv'), '-c', 'copy', film]);
  const counted = new Pictures();
  for (const piece of new TagCutter().push(readFileSync(film))) if (!piece.begin) counted.take(piece.tag);
  const { pictures, keyframes, distances, since, fps, videoKbps, audioKbps, h264, largestBytes, seconds } =
    counted.counted;

  const args = ['-v', 'error', '-show_packets', '-show_streams', '-of', 'json', film];
  const { packets, streams } = JSON.parse((await run('ffprobe', args)).stdout.toString()) as {
    packets: { codec_type: string; dts_time: string; flags: string; size: string }[];
    streams: { codec_type: string; profile: string; level: number; avg_frame_rate: string }[];
  };
  const of = (type: string) => packets.filter((packet) => packet.codec_type === type);
  const video = of('video');
  const at = (index: number): number => Number(video[index]!.dts_time);
  const keys = video.flatMap(({ flags }, index) => (flags.startsWith('K') ? [index] : []));
  const bytes = (all: typeof video): number => all.reduce((sum, { size }) => sum + Number(size), 0);
  assert.ok(keys.length > 1, 'a film with several keyframes');
  assert.deepEqual([pictures, keyframes], [video.length, keys.length]);
  assert.deepEqual(
    distances.map((each) => each.pictures),
    keys.slice(1).map((key, index) => key - keys[index]!),
  );
  distances.forEach((each, index) =>
    assert.ok(Math.abs(each.seconds - (at(keys[index + 1]!) - at(keys[index]!))) < 0.002, `${each.seconds}`),
  );
  assert.equal(since?.pictures, video.length - keys.at(-1)!);
  assert.ok(Math.abs(seconds - (at(video.length - 1) - at(0))) < 0.002);
  assert.ok(Math.abs(videoKbps! - (bytes(video) * 8) / seconds / 1000) < 2, `${videoKbps}`);
  assert.ok(Math.abs(audioKbps! - (bytes(of('audio')) * 8) / seconds / 1000) < 2, `${audioKbps}`);
  assert.equal(largestBytes, Math.max(...video.map(({ size }) => Number(size))));
  const { profile, level, avg_frame_rate: rate } = streams.find(({ codec_type: type }) => type === 'video')!;
  assert.equal(h264, `${profile} ${level / 10}`);
  const [frames, per] = rate.split('/').map(Number) as [number, number];
  assert.ok(Math.abs(fps! - frames / per) < 0.1, `${fps}`);
});

test('what was counted does not go on counting, a gap is seen, and no picture is no rate', () => {
  const counted = new Pictures();
  const none = { pictures: 0, seconds: 0, keyframes: 0, distances: [], largestBytes: 0, gapSeconds: 0 };
  assert.deepEqual({ ...counted.counted }, none);
  for (const tag of [avcHeader(), picture(0, true, 100), sound(10), picture(40, false, 50), picture(540, false, 50)])
    counted.take(tag);
  const early = counted.counted;
  assert.deepEqual([early.distances, early.since, early.gapSeconds], [[], { pictures: 3, seconds: 0.54 }, 0.5]);
  for (let ms = 580; ms < 5000; ms += 40) counted.take(picture(ms, ms === 2020, 50));
  assert.deepEqual(early.distances, []);
  assert.deepEqual(counted.counted.distances, [{ pictures: 39, seconds: 2.02 }]);
});

/** A webcam that was there when the plan was made. */
const gone: Plan = {
  kind: 'camera',
  pipelines: [
    {
      text: 'v4l2src name=video-source device=/dev/video-none ! videoconvert ! x264enc name=venc ! flvmux name=mux ! appsink name=tags',
      properties: [],
    },
  ],
  ...{ live: true, loop: false, devices: { camera: '/dev/video-none' }, adjustable: [], notes: [] },
  video: { source: 'Webcam', encoder: 'x264enc', width: 640, height: 480, fps: 30 },
  audio: { source: 'silence', encoder: 'voaacenc', rate: 48_000, channels: 2 },
};

test('a plan that fails says which part of it and why, and is not waited for', async () => {
  let looks = 0;
  const look = (): Promise<void> => Promise.resolve(void (looks += 1));
  const came = await rehearse(gone, 3600, childEnvironment(), { begun: look, ending: look });
  assert.equal(came.fault?.code, 'source_not_found');
  assert.deepEqual([came.part, came.counted.pictures, came.afterMs, looks], ['picture', 0, undefined, 0]);
  assert.deepEqual(outcome(came).length, 1);
  assert.match(
    outcome(came)[0]!,
    /^It ended early \(picture\): \[source_not_found\] Webcam was not found\. Plug it in/,
  );
});

test('one keyframe is no distance, and how long there was no other is said', () => {
  const counted = new Pictures();
  for (let ms = 0; ms < 12_000; ms += 40) counted.take(picture(ms, ms === 0, 50));
  const text = outcome({ counted: counted.counted, afterMs: 640, seconds: 12, said: [] }).join('\n');
  assert.match(text, /^\| Keyframe to keyframe \| there was no second one in 300 pictures, 11\.96 s \|$/m);
  assert.match(text, /^\| First picture \| after 0\.6 s \|$/m);
  for (let ms = 12_000; ms < 20_000; ms += 40) counted.take(picture(ms, ms === 12_000 || ms === 14_000, 50));
  const more = outcome({ counted: counted.counted, seconds: 20, said: [] }).join('\n');
  assert.match(more, /^\| Keyframe to keyframe \| 50 to 300 pictures, 2 to 12 s \|$/m);
});

test("of the kernel's log: cameras, codec, USB, memory and power; no serial number, no flood", () => {
  const kept = [
    '[    0.000000] Reserved memory: created CMA memory pool at 0x000000000bc00000, size 256 MiB',
    '[    5.1] bcm2835-codec bcm2835-codec: Device registered as /dev/video11',
    '[    5.2] usb 1-1.2: New USB device found, idVendor=046d, idProduct=082d',
    '[    5.3] uvcvideo 1-1.2:1.0: Failed to query (GET_CUR) UVC control 1 on unit 3: -32',
    '[    5.4] imx219 10-0010: failed to read chip id 219',
    '[    5.5] unicam fe801000.csi: starting stream',
    '[   25.6] hwmon hwmon1: Undervoltage detected!',
    '[ 1234.5] Out of memory: Killed process 812 (node)',
    'uvcvideo: a line without its time',
  ];
  const others = [
    '[    0.000000] Kernel command line: coherent_pool=1M smsc95xx.macaddr=B8:27:EB:00:11:22 root=/dev/mmcblk0p2',
    '[    5.2] usb 1-1.2: SerialNumber: 8A3F2C1F',
    '[    7.0] wlan0: associated to MyNetwork',
    '[    8.0] EXT4-fs (mmcblk0p2): mounted filesystem usb',
  ];
  assert.deepEqual(concerning([...kept, ...others].sort()), [...kept].sort());
  const flood = Array.from({ length: 5000 }, (_, i) => `[ ${i}.0] usb 1-1: reset ${'x'.repeat(1000)}`);
  const shown = concerning(flood);
  assert.equal(shown.length, 241);
  assert.match(shown[120]!, /^\(4760 lines/);
  assert.ok(shown.every((line) => line.length < 400));
  assert.match(shown.at(-1)!, /^\[ 4999\.0\]/);
});

test('a log that may not be read says why, and that root may', async () => {
  const answer = { code: 1, stdout: '', stderr: '', missing: false, late: false };
  const says =
    (more: Partial<typeof answer>): Runner =>
    () =>
      Promise.resolve({ ...answer, ...more });
  for (const [more, why] of [
    [{ stderr: 'dmesg: read kernel buffer failed: Operation not permitted\n' }, /Operation not permitted\. .*sudo/],
    [{ missing: true }, /dmesg is missing/],
    [{ late: true }, /did not finish within 5 s/],
    [{}, /gave no reason/],
  ] as const)
    await assert.rejects(kernelLog(says(more)), why);
  assert.deepEqual(await kernelLog(says({ code: 0, stdout: 'a\n\nb\n' })), ['a', 'b']);
});

test('processes by the first word of their name: what else is in it may be an argument', async () => {
  const title = 'zeuge --key=geheim';
  const script = `process.title = ${JSON.stringify(title)}; setInterval(() => { const end = Date.now() + 5; while (Date.now() < end); }, 10)`;
  const child = spawn(...mortal(process.execPath, ['-e', script, 'argument-geheim']), { stdio: 'ignore' });
  try {
    await until(() => processInfo(child.pid!)?.command.startsWith('zeuge'), 20_000, 'its title');
    const before = await processes();
    const from = performance.now();
    const ticks = async (): Promise<number> =>
      (await busiest(before, await processes(), 1, 10_000)).find(({ pid }) => pid === child.pid)?.percent ?? 0;
    await until(async () => (await ticks()) > 0, 20_000, 'processor time of the child');
    const all = await busiest(before, await processes(), (performance.now() - from) / 1000, 10_000);
    const found = all.find(({ pid }) => pid === child.pid)!;
    assert.equal(found.name, 'zeuge');
    assert.ok(found.percent > 0 && found.rssMb > 1 && found.pssMb! > 1 && found.pssMb! <= found.rssMb);
    assert.ok(!JSON.stringify(all).includes('geheim'));
    assert.ok((await busiest(before, await processes(), 1, 3)).length <= 9);
  } finally {
    child.kill('SIGKILL');
    await ended(child);
  }
});

test('whatever stands in a block or a cell, it ends where it should, and hides nothing', () => {
  assert.deepEqual(block(['a ```` b', '```']), ['`````', 'a ```` b', '```', '`````']);
  assert.deepEqual(block(['\u001b[2Jx\u202ey']), ['```', '·[2Jx·y', '```']);
  assert.equal(block(Array<string>(5000).fill('x')).length, 1503);
  assert.ok(block(['x'.repeat(1e6)])[1]!.length < 5000);
  assert.equal(cell('a | b\n<img src=x>'), 'a \\| b \\<img src=x\\>');
  assert.deepEqual(table([['a', 'b'] as const, ['c', undefined] as const]).slice(2), ['| a | b |']);
  const value = { list: [1, 2, 3], small: { a: 1, fps: [30, 15] }, texts: ['{ a', '] b'], empty: [] };
  const lines = json(value);
  assert.deepEqual(JSON.parse(lines.slice(1, -1).join('\n')), value);
  assert.ok(lines.includes(' "list": [1, 2, 3],') && lines.includes(' "small": { "a": 1, "fps": [30, 15] },'));
});

test('hardware addresses, and what stands before the host of any URL', () => {
  assert.equal(
    anonymous('wlan0 b8:27:EB:00:11:22 at 12:34:56, http://me:pw@proxy:3128/ and mqtt://host/a@b'),
    'wlan0 **:**:**:**:**:** at 12:34:56, http://***@proxy:3128/ and mqtt://host/a@b',
  );
});

test('secrets of other programs in the environment, by the names of their variables', () => {
  const env = {
    BALENA_API_KEY: 'abc',
    WIFI_SSID: 'My Home',
    SOME_PASSWORD: 'longer-one',
    HTTPS_PROXY: 'http://someone:else-9@proxy:3128',
    KEYBOARD: 'de',
    HOME: '/home/pi',
  };
  assert.deepEqual(suspects(env).sort(), ['My Home', 'abc', 'else-9', 'longer-one', 'someone']);
});

test('the command line', () => {
  assert.deepEqual(asked([]), {});
  assert.deepEqual(asked(['a.md', '--seconds', '30']), { file: 'a.md', seconds: 30 });
  assert.deepEqual(asked(['--seconds', '1', '-']), { file: '-', seconds: 1 });
  for (const words of [['--json'], ['a', 'b'], [''], ['--seconds'], ['--seconds', '0'], ['--seconds', '1.5']])
    assert.throws(() => asked(words), { code: 'usage' });
  assert.equal(usualName(new Date('2026-11-30T21:52:33.123Z')), 'makercast-report-20261130-215233.md');
});
