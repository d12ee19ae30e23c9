/** Cameras and microphones, on machines that makers have. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { cameras } from '../../agent/machine/cameras/cameras.js';
import { microphones } from '../../agent/machine/sound/microphones.js';
import type { Runner } from '../../agent/machine/host/run.js';
import { formatsOf, isCamera, parseNode } from '../../agent/machine/cameras/v4l2.js';
import { tree } from './tree.js';

const size = (
  formats: readonly { fourcc: string; width: number; height: number; fps: readonly number[] }[],
  want: string,
) => formats.find(({ fourcc, width, height }) => `${fourcc} ${width}x${height}` === want)?.fps;

test('Pi 3 with a legacy PiCam: the one camera among codec and ISP nodes, with H.264 in usual sizes', async () => {
  using machine = tree('pi3-picam');
  const { found, faults } = await cameras(machine.root, machine.run);
  assert.deepEqual(faults, []);
  assert.equal(found.length, 1);
  const [camera] = found;
  assert.equal(camera!.path, '/dev/video0');
  assert.equal(camera!.driver, 'bm2835 mmal');
  assert.equal(camera!.name, 'mmal service 16.1');
  assert.equal(camera!.usbPath, undefined);
  assert.deepEqual(size(camera!.formats, 'H264 1280x720'), [90, 60, 50, 30, 25, 24, 20, 15, 10, 5]);
  assert.ok(size(camera!.formats, 'H264 640x480'));
  assert.ok(size(camera!.formats, 'YU12 1920x1080'));
  assert.deepEqual(await microphones(machine.root, machine.run), { found: [], faults: [] });
});

test('Zero W with a PiCam and a USB sound adaptor', async () => {
  using machine = tree('zero-w-picam');
  assert.deepEqual(
    (await cameras(machine.root, machine.run)).found.map(({ path }) => path),
    ['/dev/video0'],
  );
  const { found } = await microphones(machine.root, machine.run);
  assert.deepEqual(found, [
    { id: 'Device', device: 0, name: 'USB Audio Device', rates: [44100, 48000], channels: [1], usbPath: '1-1' },
  ]);
  assert.ok(!machine.commands.some((command) => command.startsWith('arecord')), 'USB cards are not opened');
});

test('C920: by capability, not by the lowest number; its microphone shares its USB path', async () => {
  using machine = tree('pi3-c920');
  const { found } = await cameras(machine.root, machine.run);
  assert.equal(found.length, 1);
  const [camera] = found;
  assert.equal(camera!.path, '/dev/video1');
  assert.equal(camera!.name, 'HD Pro Webcam C920');
  assert.equal(camera!.byId, 'usb-046d_HD_Pro_Webcam_C920_5F2C6B2F-video-index0');
  assert.equal(camera!.usbPath, '1-1.2');
  assert.deepEqual(size(camera!.formats, 'H264 1280x720'), [30, 24, 20, 15, 10, 7.5, 5]);
  assert.deepEqual(size(camera!.formats, 'YUYV 1280x720'), [10, 7.5, 5]);
  const { found: heard } = await microphones(machine.root, machine.run);
  assert.deepEqual(heard, [
    {
      id: 'C920',
      device: 0,
      name: 'HD Pro Webcam C920',
      rates: [16000, 24000, 32000],
      channels: [2],
      usbPath: '1-1.2',
    },
  ]);
});

test('C270: MJPG and YUYV, a 16 kHz mono microphone, and what a busy on-board card is known to do', async () => {
  using machine = tree('pc-c270');
  const { found } = await cameras(machine.root, machine.run);
  assert.deepEqual(
    found.map(({ path, name, byId }) => [path, name, byId]),
    [['/dev/video0', 'UVC Camera (046d:0825)', 'usb-046d_0825_A2B34C50-video-index0']],
  );
  assert.deepEqual([...new Set(found[0]!.formats.map(({ fourcc }) => fourcc))], ['YUYV', 'MJPG']);
  const { found: heard } = await microphones(machine.root, machine.run);
  assert.deepEqual(heard, [
    { id: 'PCH', device: 0, name: 'HDA Intel PCH', rates: { min: 44100, max: 192000 }, channels: [2] },
    { id: 'PCH', device: 2, name: 'HDA Intel PCH', rates: [48000], channels: [2] },
    { id: 'U0x46d0x825', device: 0, name: 'USB Device 0x46d:0x825', rates: [16000], channels: [1], usbPath: '1-3' },
  ]);
});

test('vivid: discrete sizes, an input without sizes, and multi-planar capture; its output is no camera', async () => {
  using machine = tree('vm-vivid');
  const { found } = await cameras(machine.root, machine.run);
  assert.deepEqual(
    found.map(({ path }) => path),
    ['/dev/video0', '/dev/video2', '/dev/video3'],
  );
  assert.deepEqual(size(found[0]!.formats, 'NV12 320x180'), [30, 25, 15, 10, 5, 2, 1]);
  assert.deepEqual(found[1]!.formats, [{ fourcc: 'YUYV', width: 720, height: 576, fps: [25] }]);
  const { found: heard } = await microphones(machine.root, machine.run);
  assert.deepEqual(heard[1], {
    id: 'Loopback',
    device: 1,
    name: 'Loopback',
    rates: { min: 8000, max: 192000 },
    channels: [1, 2, 3, 4, 5, 6, 7, 8],
  });
  assert.equal(heard[0]!.guessed, true, 'a card that cannot be asked, and is held by nobody, is a guess');
});

test('HDMI dongle: its name once, its sound card at 96 kHz mono', async () => {
  using machine = tree('pi3-hdmi');
  const { found } = await cameras(machine.root, machine.run);
  assert.deepEqual(
    found.map(({ path, name, usbPath }) => [path, name, usbPath]),
    [['/dev/video0', 'USB Video', '1-1.4']],
  );
  assert.deepEqual(size(found[0]!.formats, 'MJPG 1280x720'), [60, 50, 30, 20, 10]);
  const { found: heard } = await microphones(machine.root, machine.run);
  assert.deepEqual(heard, [
    { id: 'MS2109', device: 0, name: 'MS2109', rates: [96000], channels: [1], usbPath: '1-1.4' },
  ]);
});

test('a PiCam that belongs to libcamera, a raw sensor and image processors are no cameras', async () => {
  using machine = tree('pi4-libcamera');
  assert.deepEqual(await cameras(machine.root, machine.run), { found: [], faults: [] });
  assert.deepEqual(await microphones(machine.root, machine.run), { found: [], faults: [] });
});

test('without v4l2-ctl: one fault that names the package, and none where there is no camera to look at', async () => {
  const nothing: Runner = () =>
    Promise.resolve({ code: undefined, stdout: '', stderr: '', missing: true, late: false });
  using machine = tree('pi3-c920');
  const { found, faults } = await cameras(machine.root, nothing);
  assert.deepEqual(found, []);
  assert.deepEqual(
    faults.map(({ code, remedy }) => [code, remedy]),
    [['plugin_missing', 'apt-get install v4l-utils']],
  );
  assert.deepEqual(await cameras('/nonexistent', nothing), { found: [], faults: [] });
});

test('a driver that hangs is named, the others are found', async () => {
  using machine = tree('pi3-c920');
  const hanging: Runner = (program, args, options) =>
    args.includes('/dev/video2')
      ? Promise.resolve({ code: undefined, stdout: '', stderr: '', missing: false, late: true })
      : machine.run(program, args, options);
  const { found, faults } = await cameras(machine.root, hanging);
  assert.equal(found.length, 1);
  assert.match(faults[0]!.message, /^The driver of \/dev\/video2 does not respond/);
});

test('intervals by range, and text that is none of v4l2-ctl', () => {
  assert.equal(parseNode('Cannot open device /dev/video7, exiting.\n'), undefined);
  const node = parseNode(
    'Driver Info:\n\tDriver name      : x\n\tCard type        : X\n\tDevice Caps      : 0x05200001\n\t\tVideo Capture\n' +
      "Video input : 0 (Camera 0: ok)\nioctl: VIDIOC_ENUM_FMT\n\tType: Video Capture\n\n\t[0]: 'NV12' (Y/UV 4:2:0)\n" +
      '\t\tSize: Discrete 640x480\n\t\t\tInterval: Continuous 0.033s - 0.200s (5.000-30.000 fps)\n' +
      '\t\tSize: Discrete 800x600\n\t\t\tInterval: Stepwise 0.040s - 0.100s with step 0.001s (10.000-25.000 fps)\n',
  )!;
  assert.ok(isCamera(node));
  assert.deepEqual(formatsOf(node, []), [
    { fourcc: 'NV12', width: 640, height: 480, fps: [30, 25, 24, 20, 15, 10, 5] },
    { fourcc: 'NV12', width: 800, height: 600, fps: [25, 24, 20, 15, 10] },
  ]);
});
