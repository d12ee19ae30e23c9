/** USB cameras as they are: odd rates, twins, formats that do not work, pictures that are none. Each test plugs in its own. */
import assert from 'node:assert/strict';
import { readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { after, test } from 'node:test';
import { runAgent, startAgent, type Agent, type Environment, type StatusDocument } from '../helpers/agent/agent.js';
import { run, temporaryFolder } from '../helpers/command.js';
import { startNginx } from '../helpers/rtmp/nginx.js';
import { startRtmpServer } from '../helpers/rtmp/server.js';
import { analyse } from '../helpers/content/stream.js';
import { c270, c920, UsbCamera, type Frame, type Model } from './devices/usb-camera.js';
import { mustBeGuest } from './guest.js';
import { seen, type Colour } from './pictures.js';
import { recording } from './recording.js';

mustBeGuest();

/** What one makercast has found out of the encoders, the next knows: each of them would try them anew. */
const data = await temporaryFolder();
after(data.remove);

/** The smallest that there is; what a camera gives is smaller still, since the bus and the decoder are emulated, too. */
const size = { width: 320, height: 240 };
const small: Environment = {
  VIDEO_ENCODER: 'x264enc',
  VIDEO_WIDTH: String(size.width),
  VIDEO_HEIGHT: String(size.height),
  VIDEO_BITRATE_KBPS: '500',
  VIDEO_ADAPTIVE: 'false',
};

const start = (server: { url(): string }, more: Environment, options: { readonly cwd?: string } = {}): Promise<Agent> =>
  startAgent(
    { ...small, STREAM_URL: server.url(), STREAM_KEY: 'onair', ...more },
    { dataFolder: data.folder, ...options },
  );

/** Waits until pictures of a camera go out. */
const onAir = (agent: Agent, from = 0): Promise<StatusDocument> =>
  agent.status(({ video, actual }) => actual === 'live' && /^camera/.test(video?.source ?? ''), 60_000, from);

const starts = (camera: UsbCamera, from = 0): string[] =>
  camera.seen.items.slice(from).filter((line) => line.startsWith('start '));

const isSourceFault = ({ event }: { readonly event: string }): boolean => event.startsWith('source_');

/** Red and blue of ITU-R BT.601 in the range of television, whichever range the camera has. */
const red: Colour = [81, 90, 240];
const blue: Colour = [41, 240, 110];
/** Of JPEG, H.264 and the rounding of both. */
const tolerance = 3;

function assertColour(found: Colour, wanted: Colour): void {
  const off = found.map((value, index) => Math.abs(value - wanted[index]!));
  assert.ok(Math.max(...off) <= tolerance, `seen ${found.join(' ')} for ${wanted.join(' ')}`);
}

interface Rate {
  readonly name: string;
  readonly frame: Frame;
  readonly fps: number;
  /** In 100 ns: which of the intervals is used. */
  readonly interval: number;
}

const rates: readonly Rate[] = [
  {
    name: 'MJPEG at 30 a second, which lists 29.97 as well',
    frame: { format: 'mjpeg', size: '160x120', intervals: [333_333, 333_667] },
    fps: 30,
    interval: 333_333,
  },
  {
    name: 'MJPEG at 29.97 a second, where 30 are wanted',
    frame: { format: 'mjpeg', size: '160x120', intervals: [333_667, 666_667] },
    fps: 30,
    interval: 333_667,
  },
  {
    // The simulated bus carries no more raw pictures with certainty.
    name: 'YUYV at 10 a second less the least there is',
    frame: { format: 'yuyv', size: '128x96', intervals: [1_000_001] },
    fps: 10,
    interval: 1_000_001,
  },
];

for (const { name, frame, fps, interval } of rates) {
  test(`a camera that gives ${name}: that rate is used, and black and white are where they belong`, async (t) => {
    await using camera = await UsbCamera.plug(c270, [frame]);
    await using nginx = await startNginx({ record: true });
    await using agent = await start(nginx, { VIDEO_FPS: String(fps) });
    await onAir(agent);
    assert.deepEqual([...new Set(starts(camera))], [`start ${frame.format} ${frame.size} ${interval}`]);
    const file = await recording(agent, nginx, 2 * fps);
    const [{ video, decodeErrors }, pictures] = await Promise.all([analyse(file), seen(file, size, true)]);
    assert.ok(video!.monotonic);
    // An emulated processor loses many of so many: this is no test of how fast it is.
    t.diagnostic(`${video!.fps.toFixed(1)} frames a second, ${decodeErrors.length} losses`);
    assert.ok(pictures.length > 0);
    for (const { left, right } of pictures) {
      assertColour(left, red);
      assertColour(right, blue);
    }
  });
}

const tiny = (format: Frame['format'], interval = 2_000_000): Frame => ({
  format,
  size: '160x120',
  intervals: [interval],
});

/** What is looked at of `probe --json`. */
interface Found {
  readonly cameras: readonly { readonly path: string; readonly byId?: string; readonly usbPath?: string }[];
  readonly microphones: readonly { readonly id: string; readonly usbPath?: string }[];
}

async function probed(twins: readonly UsbCamera[]): Promise<Found> {
  const { stdout } = await runAgent(['probe', '--json'], {}, { deadlineMs: 120_000 });
  const found = JSON.parse(stdout) as Found;
  for (const twin of twins) {
    const usbPath = await twin.usbPath();
    const node = await twin.node();
    assert.equal(found.cameras.find((camera) => camera.usbPath === usbPath)?.path, node);
    const card = await twin.card();
    assert.equal(found.microphones.find((microphone) => microphone.id === card)?.usbPath, usbPath);
  }
  assert.equal(found.cameras.length, twins.length);
  return found;
}

/** Whether the microphone of `camera` is listened to. */
const isHeard = async (camera: UsbCamera): Promise<boolean> =>
  (await readFile(`/proc/asound/${await camera.card()}/pcm0c/sub0/status`, 'utf8')).includes('RUNNING');

const twins: readonly [string, Model, 'first' | 'second'][] = [
  ['of the same serial number', c920, 'first'],
  [
    'without a serial number',
    { vendor: '046d', product: '0825', name: 'C270 HD WEBCAM', rate: 16_000, channels: 1 },
    'second',
  ],
];
for (const [which, model, named] of twins) {
  test(`twins ${which}: both are found, each with its microphone, and the ${named} is used by its USB path`, async () => {
    await using first = await UsbCamera.plug(model, [tiny('mjpeg')]);
    await using second = await UsbCamera.plug(model, [tiny('mjpeg')]);
    const { cameras } = await probed([first, second]);
    // One name for both leads to the one that came last: it is no name for the other.
    const names = cameras.flatMap(({ byId }) => byId ?? []);
    assert.equal(names.length, new Set(names).size, names.join());
    const [used, free] = named === 'first' ? [first, second] : [second, first];
    await using server = await startRtmpServer();
    await using agent = await start(server, { VIDEO_FPS: '5', VIDEO_SOURCE: await used.usbPath() });
    const { video } = await onAir(agent);
    assert.match(video!.source, new RegExp(`${await used.node()}\\b`));
    assert.ok(starts(used).length > 0);
    assert.deepEqual(starts(free), []);
    assert.deepEqual([await isHeard(used), await isHeard(free)], [true, false]);
    // Any other program may have it.
    await run('v4l2-ctl', ['-d', await free.node(), '--stream-mmap', '--stream-count=2']);
  });
}

const faulty: readonly ['refuses' | 'silent', string][] = [
  ['refuses', 'refuses to stream in YUYV'],
  ['silent', 'gives no picture in YUYV'],
];
for (const [fault, what] of faulty) {
  test(`a camera that ${what}: MJPEG goes on the air, why is said, and YUYV is not tried again`, async () => {
    await using camera = await UsbCamera.plug(c270, [tiny('yuyv'), tiny('mjpeg')], { [fault]: 'yuyv' });
    await using server = await startRtmpServer();
    const { folder, remove } = await temporaryFolder();
    try {
      await using agent = await start(server, { VIDEO_FPS: '5' }, { cwd: folder });
      const status = await onAir(agent);
      const isTried = (line: string): boolean => line.includes('yuyv');
      assert.ok(camera.seen.items.some(isTried), camera.seen.items.join('\n'));
      assert.match(starts(camera).at(-1)!, /^start mjpeg /);
      assert.match(String(status['notes']), /gives no pictures in YUYV 160x120.*another of its formats is used/);
      const before = camera.seen.items.length;
      const log = agent.log.items.length;
      // Whatever opens the camera anew.
      await writeFile(path.join(folder, 'makercast.yml'), JSON.stringify({ video: { keyframeSeconds: 1 } }));
      await camera.seen.waitFor((line) => line.startsWith('start mjpeg '), 20_000, before);
      await onAir(agent, log);
      assert.equal(camera.seen.items.slice(before).find(isTried), undefined);
      assert.equal(server.publishes.items.length, 1);
    } finally {
      await remove();
    }
  });
}

test('JPEGs of four bytes among good ones are left out, and the camera stays on the air', async () => {
  await using camera = await UsbCamera.plug(c270, [tiny('mjpeg', 1_000_000)], { crumbEach: 5 });
  await using nginx = await startNginx({ record: true });
  await using agent = await start(nginx, { VIDEO_FPS: '10' });
  await onAir(agent);
  // A processor that is busy may have taken too long for the first picture.
  const [log, begun] = [agent.log.items.length, starts(camera).length];
  const file = await recording(agent, nginx, 60);
  assert.equal(agent.log.items.slice(log).find(isSourceFault), undefined);
  assert.equal(starts(camera).length, begun);
  for (const { left, right } of await seen(file, size)) {
    assertColour(left, red);
    assertColour(right, blue);
  }
});

test('a camera that the kernel does not let go of costs its own test only: the next is plugged in elsewhere', async () => {
  const { folder, remove } = await temporaryFolder();
  const pipe = path.join(folder, 'pipe');
  const camera = await UsbCamera.plug(c270, [tiny('mjpeg')]);
  const lost = await camera.usbPath();
  // A write to a pipe that nobody reads does not return, as one to a driver that hangs.
  await run('mkfifo', [pipe]);
  await run('mount', ['--bind', pipe, camera.binding]);
  try {
    await assert.rejects(async () => camera[Symbol.asyncDispose](), /UDC: not within/);
    await using next = await UsbCamera.plug(c270, [tiny('mjpeg')]);
    assert.notEqual(await next.usbPath(), lost);
    await probed([next]);
  } finally {
    // What waits for a reader goes on, and lets go of the mount.
    await readFile(pipe);
    await run('umount', ['--lazy', camera.binding]);
  }
  // It lets go after all.
  await camera[Symbol.asyncDispose]();
  await remove();
  await using again = await UsbCamera.plug(c270, [tiny('mjpeg')]);
  assert.equal(await again.usbPath(), lost);
});
