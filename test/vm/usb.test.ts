/** A USB camera with a microphone: a gadget that enumerates as a Logitech C920, then as a C270. */
import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import { runAgent, startAgent, type Environment } from '../helpers/agent/agent.js';
import { startNginx } from '../helpers/rtmp/nginx.js';
import { temporaryFolder } from '../helpers/command.js';
import { decodeSound, toneShare } from '../helpers/content/sound.js';
import { analyse, colour } from '../helpers/content/stream.js';
import { c270, c920, tone, UsbCamera, type Format } from './devices/usb-camera.js';
import { mustBeGuest } from './guest.js';
import { recording } from './recording.js';

mustBeGuest();

/** What is looked at of `probe --json`. */
interface Found {
  readonly cameras: readonly {
    readonly path: string;
    readonly name: string;
    readonly driver: string;
    readonly byId?: string;
    readonly usbPath?: string;
    readonly formats: readonly { readonly fourcc: string; readonly width: number; readonly height: number }[];
  }[];
  readonly microphones: readonly { readonly id: string; readonly usbPath?: string; readonly rates: unknown }[];
}

const small: Environment = {
  VIDEO_ENCODER: 'x264enc',
  VIDEO_WIDTH: '320',
  VIDEO_HEIGHT: '240',
  // A simulated bus on an emulated processor carries no more with certainty.
  VIDEO_FPS: '5',
  VIDEO_BITRATE_KBPS: '500',
  VIDEO_ADAPTIVE: 'false',
};

/** What one makercast has found out of the encoders, the next knows: each of them would try them anew. */
const data = await temporaryFolder();
after(data.remove);

async function probe(): Promise<Found> {
  const { stdout } = await runAgent(['probe', '--json'], {}, { deadlineMs: 120_000 });
  return JSON.parse(stdout) as Found;
}

/** Streams whatever makercast chooses by itself, and judges picture and sound at the receiver. */
async function judge(camera: UsbCamera): Promise<void> {
  await using nginx = await startNginx({ record: true });
  await using agent = await startAgent(
    { ...small, STREAM_URL: nginx.url(), STREAM_KEY: 'onair' },
    { dataFolder: data.folder },
  );
  await agent.event('playing', 60_000);
  const file = await recording(agent, nginx, 30);
  const said = agent.log.items.flatMap(({ time, event, message }) => (event === 'status' ? [] : `${time} ${message}`));
  // From top to bottom: one row in thirty is white, another one in each picture.
  const area = { y: 0, width: 0.2, height: 1 };
  // At once: each program of ffmpeg's takes seconds to start where the processor is emulated.
  const [{ video, audio, decodeErrors }, left, right, sound] = await Promise.all([
    analyse(file),
    colour(file, { ...area, x: 0.1 }, 1),
    colour(file, { ...area, x: 0.7 }, 1),
    decodeSound(file),
  ]);
  const share = toneShare(sound, tone);
  assert.deepEqual(decodeErrors, [], said.join('\n'));
  assert.equal(`${video!.codec} ${video!.width}x${video!.height}`, 'h264 320x240');
  assert.ok(Math.abs(video!.fps - 5) < 0.5, `${video!.fps} frames a second\n${said.join('\n')}`);
  assert.ok(left[0] > 150 && left[2] < 80, `the left half is ${left}`);
  assert.ok(right[2] > 150 && right[0] < 80, `the right half is ${right}`);
  assert.ok(video!.monotonic && audio!.monotonic);
  // Moments of it may be lost where the processor is emulated.
  assert.ok(share > 0.3, `the tone is in ${(100 * share).toFixed(0)} % of the sound`);
  assert.match(said.join('\n'), new RegExp(await camera.node()));
}

test('probe shows a C920 with its formats, its names, and that camera and microphone are one device', async () => {
  await using camera = await UsbCamera.plug(c920);
  const { cameras, microphones } = await probe();
  const [found, ...others] = cameras;
  // The gadget's own side is a video node too, an output: it is no camera.
  assert.deepEqual(others, []);
  assert.equal(found!.path, await camera.node());
  assert.equal(found!.name, 'HD Pro Webcam C920');
  assert.equal(found!.driver, 'uvcvideo');
  assert.equal(found!.byId, 'usb-046d_HD_Pro_Webcam_C920_5F2C6B2F-video-index0');
  assert.equal(found!.usbPath, await camera.usbPath());
  assert.deepEqual(found!.formats.map(({ fourcc, width, height }) => `${fourcc} ${width}x${height}`).sort(), [
    'MJPG 1280x720',
    'MJPG 320x240',
    'MJPG 640x480',
    'YUYV 320x240',
    'YUYV 640x480',
  ]);
  const microphone = microphones.find(({ id }) => id === 'C920');
  assert.ok(microphone, JSON.stringify(microphones));
  assert.equal(microphone.usbPath, found!.usbPath);
  assert.deepEqual(microphone.rates, [c920.rate]);
});

for (const format of ['yuyv', 'mjpeg'] satisfies Format[]) {
  test(`a C920 with ${format} pictures is chosen by itself, with its microphone, and streamed`, async () => {
    await using camera = await UsbCamera.plug(c920, [format]);
    await judge(camera);
    assert.ok(
      camera.seen.items.some((line) => line.startsWith(`start ${format} 320x240`)),
      camera.seen.items.join('\n'),
    );
  });
}

test('a C270, which gives no name and has one channel of sound at 16 kHz, is streamed as well', async () => {
  await using camera = await UsbCamera.plug(c270);
  const { cameras, microphones } = await probe();
  assert.equal(cameras.length, 1);
  assert.match(cameras[0]!.byId!, /^usb-046d_0825_.*-video-index0$/);
  assert.deepEqual(
    microphones.map(({ usbPath, rates }) => ({ usbPath, rates })),
    [{ usbPath: await camera.usbPath(), rates: [c270.rate] }],
  );
  await judge(camera);
});
