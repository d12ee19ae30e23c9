/** Whole machines that makers have: which node is a camera and which is not, how each is opened, and what is amiss. */
import assert from 'node:assert/strict';
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { test } from 'node:test';
import type { EncoderName } from '../../pipelines/wanted.js';
import { gather } from '../../agent/machine/machine.js';
import type { Runner } from '../../agent/machine/host/run.js';
import { tree, type Tree } from './tree.js';

async function seen(machine: Tree, run: Runner = machine.run, encoders: readonly EncoderName[] = [], arch = 'arm') {
  const question = { camera: true, files: [], encoders };
  const { facts, faults } = await gather(question, undefined, machine.root, run, undefined, arch);
  return { facts, faults: faults.map((fault) => [fault.code, fault.message] as const) };
}

/** Runs as the machine does, with some programs' answers changed. */
const but = (machine: Tree, answer: (command: string) => object | undefined): Runner => {
  return async (program, args, options) => {
    const ran = await machine.run(program, args, options);
    return { ...ran, ...answer([program, ...args].join(' ')) };
  };
};

const all: Readonly<Record<string, readonly string[]>> = {
  'zero-w-picam': ['v4l2 /dev/video0 bm2835 mmal'],
  'pi3-picam': ['v4l2 /dev/video0 bm2835 mmal'],
  'pi3-picam-c920': ['v4l2 /dev/video0 bm2835 mmal', 'v4l2 /dev/video1 uvcvideo'],
  'pi3-c920': ['v4l2 /dev/video1 uvcvideo'],
  'pi3-c270': ['v4l2 /dev/video0 uvcvideo'],
  'pi3-hdmi': ['v4l2 /dev/video0 uvcvideo'],
  'zero2w-libcamera': ['libcamera /base/soc/i2c0mux/i2c@1/ov5647@36 libcamera'],
  'zero2w-v3': ['libcamera /base/soc/i2c0mux/i2c@1/imx708@1a libcamera'],
  'pi4-libcamera': ['libcamera /base/soc/i2c0mux/i2c@1/imx219@10 libcamera'],
  'pi5-libcamera': ['libcamera /base/axi/pcie@1000120000/rp1/i2c@80000/imx708@1a libcamera'],
  'pc-c270': ['v4l2 /dev/video0 uvcvideo'],
  'vm-vivid': ['v4l2 /dev/video0 vivid', 'v4l2 /dev/video2 vivid', 'v4l2 /dev/video3 vivid'],
};

for (const [name, expected] of Object.entries(all)) {
  test(`${name}: its cameras among all its nodes, and nothing amiss`, async () => {
    using machine = tree(name);
    const { facts, faults } = await seen(machine);
    assert.deepEqual(
      facts.cameras.map(({ api, path, driver }) => `${api} ${path} ${driver}`),
      expected,
    );
    assert.deepEqual(faults, []);
    // libcamera is asked where its sensor is, and nowhere else: it costs a second on a small board.
    const asked = machine.commands.some((command) => command.startsWith('cam '));
    assert.equal(
      asked,
      expected.some((camera) => camera.startsWith('libcamera ')),
    );
  });
}

test('a microphone shares the USB path of its webcam, beside a PiCam that has none', async () => {
  using machine = tree('pi3-picam-c920');
  const { facts } = await seen(machine);
  assert.deepEqual(
    facts.cameras.map(({ usbPath }) => usbPath),
    [undefined, '1-1.2'],
  );
  assert.deepEqual(
    facts.microphones.map(({ id, usbPath }) => [id, usbPath]),
    [['C920', '1-1.2']],
  );
});

test("a C920's unit for its H.264 encoder is found in its descriptors; what has none, or no H.264, is as it was", async () => {
  using machine = tree('pi3-picam-c920');
  const { facts } = await seen(machine);
  const unit = { id: 12, givesKeyframes: true, changesBitrate: true };
  assert.deepEqual(
    facts.cameras.map(({ encoderUnit }) => encoderUnit),
    [undefined, unit],
  );
  const noH264 = but(machine, (command) => (command.includes(' /dev/video1 ') ? webcam : undefined));
  const { stdout } = await machine.run('v4l2-ctl', ['-d', '/dev/video1', '--info', '--get-input'], { deadlineMs: 0 });
  const webcam = { stdout: stdout.replace(/'H264'/g, "'HEVC'") };
  assert.equal((await seen(machine, noH264)).facts.cameras[1]!.encoderUnit, undefined);
  // Its controls stand in the last bytes but one: those to be set up by (1 and 2), and then all but that for keyframes (9).
  const file = path.join(machine.root, 'sys/devices/platform/soc/3f980000.usb/usb1/1-1/1-1.2/descriptors');
  const descriptors = readFileSync(file, 'latin1');
  for (const [bits, expected] of [
    ['\x05\x7f', undefined],
    ['\x07\x7e', { ...unit, givesKeyframes: false }],
    ['\x07\x5f', { ...unit, changesBitrate: false }],
  ] as const) {
    writeFileSync(file, descriptors.replace('\x07\x7f', bits), 'latin1');
    assert.deepEqual((await seen(machine)).facts.cameras[1]!.encoderUnit, expected);
  }
  rmSync(file);
  assert.equal((await seen(machine)).facts.cameras[1]!.encoderUnit, undefined);
});

test('libcamera: NV12 and YUYV in usual sizes up to the sensor, no controls, the model as its name', async () => {
  using machine = tree('pi4-libcamera');
  const [camera] = (await seen(machine)).facts.cameras;
  assert.equal(camera!.name, 'imx219');
  assert.deepEqual(camera!.controls, []);
  for (const fourcc of ['NV12', 'YUYV']) {
    assert.deepEqual(camera!.formats.filter((format) => format.fourcc === fourcc).at(-1), {
      ...{ fourcc, width: 1920, height: 1080 },
      fps: [30, 25, 24, 20, 15],
    });
  }
  assert.ok(camera!.formats.some(({ width, height }) => width === 1280 && height === 720));
  // A global shutter sensor is smaller than 1080p: the image processor must not be asked to enlarge.
  const small = but(machine, (command) =>
    command.includes(' -I ') ? { stdout: ' * Pixelformat: NV12 (64x64)-(1456x1088)/(+2,+2)\n' } : undefined,
  );
  const [lesser] = (await seen(machine, small)).facts.cameras;
  assert.deepEqual([lesser!.formats.at(-1)!.width, lesser!.formats.at(-1)!.height], [1280, 720]);
});

test('libcamera: a camera that is in use cannot tell its sizes; each PiCam has 720p', async () => {
  using machine = tree('zero2w-libcamera');
  const busy = but(machine, (command) => (command.includes(' -I ') ? { stdout: '', code: 1 } : undefined));
  const [camera] = (await seen(machine, busy)).facts.cameras;
  assert.equal(camera!.name, 'ov5647');
  assert.deepEqual(
    camera!.formats.map(({ width }) => width),
    [320, 640, 640, 800, 1024, 1280],
  );
});

test('a PiCam by libcamera comes before one of the legacy stack on a 64-bit system, and last on a 32-bit one', async () => {
  using machine = tree('pi3-picam-c920');
  using other = tree('pi4-libcamera');
  const folder = path.join(machine.root, 'sys/class/video4linux');
  for (const [node, name] of [
    ['video20', 'unicam-image'],
    ['v4l-subdev0', 'imx219 10-0010'],
  ] as const) {
    mkdirSync(path.join(folder, node));
    writeFileSync(path.join(folder, node, 'name'), `${name}\n`);
  }
  const both: Runner = (program, args, options) =>
    (program === 'v4l2-ctl' ? machine : other).run(program, args, options);
  const order = async (arch: string): Promise<readonly string[]> =>
    (await seen(machine, both, [], arch)).facts.cameras.map(({ driver }) => driver);
  assert.deepEqual(await order('arm64'), ['libcamera', 'bm2835 mmal', 'uvcvideo']);
  assert.deepEqual(await order('arm'), ['bm2835 mmal', 'uvcvideo', 'libcamera']);
  // All that there is, it is taken on 64 bits too.
  using legacy = tree('pi3-picam');
  const { facts, faults } = await seen(legacy, legacy.run, [], 'arm64');
  assert.deepEqual([facts.cameras.map(({ driver }) => driver), faults], [['bm2835 mmal'], []]);
});

test('no camera on a 64-bit system: nobody is sent to the legacy stack', async () => {
  using machine = tree('pi3-gpu16');
  writeFileSync(path.join(machine.root, 'proc/device-tree/memory@0/reg'), Buffer.from('0000000038000000', 'hex'));
  assert.deepEqual((await seen(machine, machine.run, [], 'arm64')).faults, [
    [
      'source_not_found',
      'No camera was found. If a PiCam is plugged in, set camera_auto_detect=1 and gpu_mem=128, and no start_x' +
        ' (on balena: BALENA_HOST_CONFIG_camera_auto_detect, _gpu_mem, _start_x), and check its cable.',
    ],
  ]);
});

test('libcamera: the controls that its GStreamer element can set, from 0.4 on', async () => {
  using machine = tree('zero2w-v3');
  const [camera] = (await seen(machine)).facts.cameras;
  assert.deepEqual(camera!.controls, [
    { name: 'exposure-time', min: 0, max: 66666, step: 1, default: 0 },
    { name: 'af-mode', min: 0, max: 2, step: 1, default: 0, choices: { 0: 'Manual', 2: 'Continuous' } },
    { name: 'lens-position', min: 0, max: 32, step: 1, default: 1 },
  ]);
  // The camera could, and an older element cannot tell it.
  const older = but(machine, (command) =>
    command === 'gst-inspect-1.0 libcamerasrc'
      ? { stdout: 'Element Properties:\n\n  camera-name         : Select by name which camera to use.\n' }
      : undefined,
  );
  assert.deepEqual((await seen(machine, older)).facts.cameras[0]!.controls, []);
  // A V2 has no lens that moves.
  const fixed = but(machine, (command) =>
    command.includes(' -I ')
      ? { stdout: 'Control: [inout] libcamera::ExposureTime: [75..11766829]\n0: 800x600-XRGB8888\n' }
      : undefined,
  );
  assert.deepEqual(
    (await seen(machine, fixed)).facts.cameras[0]!.controls.map(({ name, min, max }) => [name, min, max]),
    [['exposure-time', 75, 11766829]],
  );
});

test('libcamera is left alone where the picture comes from a file', async () => {
  using machine = tree('pi4-libcamera');
  await gather({ camera: false, files: [], encoders: [] }, undefined, machine.root, machine.run);
  assert.ok(!machine.commands.some((command) => command.startsWith('cam ')));
});

test('libcamera that is not installed, or not whole, or hangs: what to install', async () => {
  using machine = tree('pi4-libcamera');
  const elements = but(machine, (command) =>
    command === 'gst-inspect-1.0' ? { stdout: 'tee:  tee: Tee\n' } : undefined,
  );
  assert.deepEqual((await seen(machine, elements)).faults, [
    [
      'plugin_missing',
      "The PiCam (imx219) needs libcamera, and GStreamer's libcamerasrc is missing. apt-get install gstreamer1.0-libcamera libcamera-ipa libcamera-tools",
    ],
  ]);
  const cam = but(machine, (command) => (command === 'cam -l' ? { missing: true } : undefined));
  assert.match((await seen(machine, cam)).faults[0]![1], /apt-get install libcamera-tools$/);
  const late = but(machine, (command) => (command === 'cam -l' ? { late: true } : undefined));
  assert.deepEqual(
    (await seen(machine, late)).faults.map(([code]) => code),
    ['source_failed'],
  );
});

test('a PiCam V3 or a Pi 5 with the libcamera of Debian: what it lacks, and which to take', async () => {
  using pi5 = tree('pi5-libcamera');
  const debian = (machine: Tree, version = '0.0.3') =>
    but(machine, (command) =>
      command === 'cam -l'
        ? { stdout: 'Available cameras:\n', stderr: `[0:00:01] [1] \x1b[1;32m INFO \x1b[0mlibcamera v${version}\n` }
        : undefined,
    );
  assert.deepEqual((await seen(pi5, debian(pi5))).faults, [
    [
      'camera_unsupported',
      "The PiCam's sensor imx708_wide is present, but libcamera 0.0.3 cannot drive it. " +
        "Debian's libcamera does not support the cameras of a Pi 5: install Raspberry Pi's own libcamera packages, as on Raspberry Pi OS.",
    ],
  ]);
  assert.match(
    (await seen(pi5, debian(pi5, '0.4.0'))).faults[0]![1],
    /libcamera 0\.4\.0 .* Debian's libcamera does not support the cameras of a Pi 5/,
  );
  assert.match(
    (await seen(pi5, debian(pi5, '0.5.2+99-bfd68f78'))).faults[0]![1],
    /libcamera 0\.5\.2 cannot.*Run `cam -l`/,
  );
  using pi4 = tree('pi4-libcamera');
  const sensor = path.join(pi4.root, 'sys/devices/platform/soc/fe801000.csi/video4linux/v4l-subdev0/name');
  writeFileSync(sensor, 'imx708 10-001a\n');
  assert.match(
    (await seen(pi4, debian(pi4))).faults[0]![1],
    /sensor imx708 .* Debian 12's libcamera does not support the PiCam V3: use Debian 13, or install Raspberry Pi's/,
  );
  // Debian 13's has it: whatever fails there is something else.
  assert.match(
    (await seen(pi4, debian(pi4, '0.4.0'))).faults[0]![1],
    /libcamera 0\.4\.0 cannot drive it\. Run `cam -l`/,
  );
  const none = but(pi4, (command) => (command === 'gst-inspect-1.0' ? { stdout: 'tee:  tee: Tee\n' } : undefined));
  assert.match(
    (await seen(pi4, none)).faults[0]![1],
    /apt-get install gstreamer1\.0-libcamera libcamera-ipa libcamera-tools; Debian 12's libcamera does not support the PiCam V3: use Debian 13, or install/,
  );
  // One that Debian's does know, and that fails all the same: why is in its log.
  writeFileSync(sensor, 'imx219 10-0010\n');
  const failing = but(pi4, (command) =>
    command === 'cam -l'
      ? {
          stdout: 'Available cameras:\n',
          stderr:
            '[0:00:02] [9] \x1b[1;31mERROR \x1b[1;37mRPI \x1b[1;34mraspberrypi.cpp:1265 \x1b[0mFailed to load a suitable IPA library\n',
        }
      : undefined,
  );
  assert.match(
    (await seen(pi4, failing)).faults[0]![1],
    /imx219 is present.*: Failed to load a suitable IPA library\. apt-get install libcamera-ipa$/,
  );
});

test('gpu_mem=16: no encoder and no camera, why, and what to set, also on balena', async () => {
  using machine = tree('pi3-gpu16');
  const { facts, faults } = await seen(machine, machine.run, ['v4l2h264enc']);
  assert.equal(facts.board.gpuMemoryMb, 16);
  assert.equal(facts.encoders[0]!.works, false);
  const set = 'et gpu_mem to 128 (on balena: BALENA_HOST_CONFIG_gpu_mem) and restart.';
  assert.deepEqual(faults, [
    [
      'firmware_setting',
      `The Pi's H.264 encoder is not available: gpu_mem is 16, so the firmware leaves out its codec. S${set}`,
    ],
    [
      'firmware_setting',
      `No camera was found. gpu_mem is 16, so the firmware leaves out everything that a PiCam needs. If one is plugged in, s${set}`,
    ],
  ]);
  // Whoever streams a file through x264enc needs neither.
  const { faults: quiet } = await gather(
    { camera: false, files: [], encoders: ['x264enc'] },
    undefined,
    machine.root,
    machine.run,
  );
  assert.deepEqual(quiet, []);
});

test('no encoder for another reason, or for one that cannot be seen: said with an if', async () => {
  using machine = tree('pi3-gpu16');
  const reg = path.join(machine.root, 'proc/device-tree/memory@0/reg');
  writeFileSync(reg, Buffer.from('0000000038000000', 'hex'));
  const enough = (await seen(machine, machine.run, ['v4l2h264enc'])).faults.map(([, message]) => message);
  assert.match(enough[0]!, /though gpu_mem \(128\) is enough for it: the kernel has not loaded bcm2835-codec\./);
  assert.match(
    enough[1]!,
    /^No camera was found\. If a PiCam V1, V2 or HQ is plugged in, set start_x=1 and gpu_mem=128/,
  );
  assert.match(enough[1]!, / and run modprobe bcm2835-v4l2, which is not loaded; for a V3, /);
  mkdirSync(path.join(machine.root, 'sys/module/bcm2835_v4l2'), { recursive: true });
  rmSync(reg);
  const unsure = (await seen(machine, machine.run, ['v4l2h264enc'])).faults.map(([, message]) => message);
  assert.doesNotMatch(unsure[1]!, /modprobe/);
  assert.match(unsure[0]!, /there is no bcm2835-codec device node\. If gpu_mem is below 32/);
});

test('a sensor without the image processor: gpu_mem again', async () => {
  using machine = tree('pi4-libcamera');
  for (const node of ['video13', 'video14', 'video15', 'video16']) {
    rmSync(path.join(machine.root, 'sys/class/video4linux', node));
  }
  const { facts, faults } = await seen(machine);
  assert.deepEqual(facts.cameras, []);
  assert.match(
    faults[0]![1],
    /^The PiCam \(imx219\) cannot be used: .*bcm2835-isp is missing\. Run modprobe bcm2835-isp/,
  );
});

test('a Pi 5 and a PC lack no encoder: they have none', async () => {
  for (const name of ['pi5-libcamera', 'pc-c270']) {
    using machine = tree(name);
    const { facts, faults } = await seen(machine, machine.run, ['v4l2h264enc']);
    assert.deepEqual(faults, []);
    assert.equal(facts.encoders[0]!.works, false);
  }
});
