/** Over the whole space of wishes and machines: a plan whose every element and property exists, or a NoPlan with a known code. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { isFaultCode } from '../../agent/errors.js';
import { plan } from '../../pipelines/choose/best.js';
import { describe } from '../../pipelines/describe.js';
import type { Machine } from '../../pipelines/machine.js';
import { NoPlan } from '../../pipelines/noplan.js';
import { rtmpOutput } from '../../pipelines/outputs/rtmp.js';
import type { Plan } from '../../pipelines/plan.js';
import type { Wanted, WantedCamera } from '../../pipelines/wanted.js';
import { elementsOf, propertiesOf } from './gst.js';
import { c920, imx708, piCam, debian, highAvcc, lcAsc } from './machines.js';

/** Elements that cannot be inspected here for want of the hardware or the package, with the properties that are used of them. */
const notHere: Readonly<Record<string, readonly string[]>> = {
  v4l2h264enc: ['name', 'extra-controls'],
  v4l2h264dec: ['name'],
  libcamerasrc: ['name', 'camera-name', 'exposure-time', 'af-mode', 'lens-position'],
  omxh264enc: ['name', 'control-rate', 'target-bitrate', 'interval-intraframes'],
  fdkaacenc: ['name', 'bitrate'],
};

const fps = fc.constantFrom(5, 10, 15, 24, 25, 30000 / 1001, 30, 50, 60);
const size = fc.constantFrom<[number, number][]>(
  [1920, 1080],
  [1280, 720],
  [854, 480],
  [640, 480],
  [640, 360],
  [320, 240],
);

/** Text that would break out of a pipeline if it became part of it. */
const hostile = fc.constantFrom('x ! fakesink', '"', "it's", 'a\nb', '\\', '${HOME}', 'name=mux', '%s', '');

/** Controls that a camera of this kind has: of libcamera, properties of its element. */
const controls = { v4l2: [...c920.controls, ...piCam.controls], libcamera: imx708.controls };

const camera = fc.constantFrom('v4l2' as const, 'libcamera' as const).chain((api) =>
  fc.record({
    api: fc.constant(api),
    controls: fc.subarray([...controls[api]]),
    path: fc.constantFrom('/dev/video0', '/dev/video1'),
    name: hostile,
    driver: fc.constantFrom('uvcvideo', 'bm2835 mmal', 'vivid'),
    usbPath: fc.constantFrom('1-1.2', '1-1.3'),
    byId: fc.constantFrom('usb-one', 'usb-two'),
    formats: fc.array(
      fc.record({
        fourcc: fc.constantFrom('H264', 'MJPG', 'YUYV', 'NV12', 'YU12', 'RGB3', 'GREY', 'HEVC'),
        size,
        fps: fc.array(fps, { maxLength: 3 }),
      }),
      { maxLength: 6 },
    ),
  }),
);

const microphone = fc.record({
  id: fc.constantFrom('C920', 'Device'),
  device: fc.nat(2),
  name: hostile,
  rates: fc.oneof(
    fc.array(fc.constantFrom(8000, 16000, 32000, 44100, 48000), { maxLength: 3 }),
    fc.constant({ min: 8000, max: 96000 }),
  ),
  channels: fc.array(fc.constantFrom(1, 2, 8), { maxLength: 2 }),
  usbPath: fc.constantFrom('1-1.2', '1-1.4'),
});

const names = ['/media/a.mp4', '/media/b "!" \'c\'.mkv'];
const media = fc
  .record({
    path: fc.constantFrom(...names),
    seconds: fc.double({ min: 0.04, max: 86_400, noNaN: true }),
    video: fc.record({
      codec: fc.constantFrom('h264', 'vp9'),
      width: fc.constant(640),
      height: fc.constant(360),
      fps,
      avcc: fc.constantFrom(highAvcc, '', 'zz', '0164'),
      keyframeSeconds: fc.constantFrom(0.5, 2, 10),
    }),
    audio: fc.record({
      codec: fc.constantFrom('aac', 'opus'),
      rate: fc.constant(44100),
      channels: fc.constantFrom(1, 2, 6),
      asc: fc.constantFrom(lcAsc, '', '2b92'),
    }),
    has: fc.record({ seconds: fc.boolean(), video: fc.boolean(), audio: fc.boolean() }),
  })
  .map(({ path, seconds, video, audio, has }) => ({
    path,
    ...(has.seconds ? { seconds } : {}),
    ...(has.video ? { video } : {}),
    ...(has.audio ? { audio } : {}),
  }));

const software = ['x264enc', 'openh264enc', 'v4l2h264enc', 'omxh264enc'] as const;

const machines: fc.Arbitrary<Machine> = fc.record({
  board: fc.constantFrom({}, { soc: 'bcm2835' }, { soc: 'bcm2837' }),
  // Mostly everything is there, now and then something is missing.
  elements: fc.oneof(
    { weight: 3, arbitrary: fc.constant([...debian, ...Object.keys(notHere)]) },
    { weight: 1, arbitrary: fc.subarray([...debian, ...Object.keys(notHere)], { minLength: debian.length - 3 }) },
  ),
  cameras: fc.array(camera, { maxLength: 2 }).map((list) =>
    list.map((one) => ({
      ...one,
      formats: one.formats
        .filter(({ fourcc }) => one.api === 'v4l2' || ['NV12', 'YUYV', 'YU12'].includes(fourcc))
        .map(({ size: [width, height], ...rest }) => ({ ...rest, width, height })),
    })),
  ),
  microphones: fc.array(microphone, { maxLength: 2 }),
  encoders: fc
    .subarray([...software])
    .chain((list) =>
      fc.tuple(...list.map((element) => fc.boolean().map((works) => ({ element, hardware: false, works })))),
    ),
  files: fc.uniqueArray(media, { maxLength: 2, selector: ({ path }) => path }),
});

const wanted: fc.Arbitrary<Wanted> = fc
  .record({
    source: fc.oneof(
      fc.constantFrom('auto', 'test', 'file', '/dev/video0', 'usb-two', '/dev/v4l/by-id/usb-one', '1-1.3'),
      hostile,
    ),
    files: fc.array(fc.constantFrom(...names), { maxLength: 3 }),
    loop: fc.boolean(),
    testPattern: fc.constantFrom('bars', 'ball', 'sync'),
    size,
    fps,
    bitrateKbps: fc.integer({ min: 100, max: 50_000 }),
    keyframeSeconds: fc.double({ min: 0.5, max: 10, noNaN: true }),
    encoder: fc.constantFrom('auto', 'passthrough', ...software),
    camera: fc.record({
      horizontalFlip: fc.boolean(),
      verticalFlip: fc.boolean(),
      rotation: fc.constantFrom(0, 90, 180, 270),
      exposureMs: fc.oneof(fc.constantFrom('auto', 'driver'), fc.double({ min: 0.1, max: 1000, noNaN: true })),
      whiteBalance: fc.oneof(fc.constantFrom('auto', 'driver'), fc.integer({ min: 1000, max: 12_000 })),
      focus: fc.oneof(fc.constantFrom('auto', 'driver'), fc.integer({ min: 0, max: 1023 })),
      zoom: fc.oneof(fc.constantFrom('driver'), fc.integer({ min: 0, max: 10_000 })),
      powerLineHz: fc.constantFrom<WantedCamera['powerLineHz'][]>('driver', 50, 60, 'auto', 'off'),
    }),
    audio: fc.record({
      source: fc.oneof(fc.constantFrom('auto', 'test', 'none', 'C920'), hostile),
      rate: fc.constantFrom(44100, 48000),
      channels: fc.constantFrom(1, 2),
      bitrateKbps: fc.integer({ min: 32, max: 320 }),
      gainDb: fc.double({ min: -60, max: 20, noNaN: true }),
      mute: fc.boolean(),
    }),
  })
  .map(({ size: [width, height], camera, audio, ...video }) => ({
    video: { ...video, width, height },
    camera,
    audio,
    slate: { text: 'We will be right back.', image: '' },
  }));

/** `element property` of every element in a text. */
function used(text: string): [string, string[]][] {
  return text
    .split(/\n| ! | (?=mux\.|tracks\.)/)
    .map((step) => step.trim())
    .filter((step) => /^[a-z]\w*( |$)/.test(step))
    .map((step) => {
      const bare = step.replace(/"[^"]*"/g, '""');
      const [element, ...rest] = bare.split(' ');
      return [element!, rest.map((word) => word.split('=')[0]!)];
    });
}

function assertKnown(text: string): void {
  const steps = used(text);
  assert.deepEqual(new Set(steps.map(([element]) => element)), new Set(elementsOf(text)));
  for (const [element, properties] of steps) {
    const known = notHere[element] ?? propertiesOf(element);
    assert.ok(known.length > 0, `no element ${element}`);
    for (const property of properties) assert.ok(known.includes(property), `${element} has no property ${property}`);
  }
  assert.doesNotMatch(text, /! [a-z]+\/[^!]*! [a-z]+\//, 'two caps in a row are a syntax error');
  assert.doesNotMatch(text, /undefined|NaN|null|\[object/);
}

function assertSound({ video, audio, pipelines, ...made }: Plan, { video: want, audio: sound }: Wanted): void {
  assert.ok(pipelines.length >= 1);
  for (const { text, properties } of pipelines) {
    assertKnown(text);
    assert.match(text, /! appsink name=tags /);
    for (const { element, property, value } of properties) {
      const step = used(text).find(([, words], index) => words.includes('name') && stepNames(text)[index] === element);
      assert.ok(step, `the text names no ${element}`);
      assert.ok((notHere[step[0]] ?? propertiesOf(step[0])).includes(property), `${step[0]} has no ${property}`);
      // A number breaks out of no text.
      const harmless = /^\d+$/.test(String(value));
      assert.ok(harmless || !text.includes(String(value)), 'a value that was set apart is also in the text');
    }
    for (const { element, property } of made.adjustable) {
      const step = used(text).find((_, index) => stepNames(text)[index] === element);
      assert.ok(step, `the text names no ${element}`);
      assert.ok((notHere[step[0]] ?? propertiesOf(step[0])).includes(property), `${step[0]} has no ${property}`);
    }
  }
  if (video.encoder !== 'passthrough')
    assert.deepEqual([video.width, video.height, video.fps], [want.width, want.height, want.fps]);
  if (audio.encoder !== 'passthrough') assert.deepEqual([audio.rate, audio.channels], [sound.rate, sound.channels]);
}

const stepNames = (text: string): (string | undefined)[] =>
  text
    .split(/\n| ! | (?=mux\.|tracks\.)/)
    .map((step) => step.trim())
    .filter((step) => /^[a-z]\w*( |$)/.test(step))
    .map((step) => / name=([\w-]+)/.exec(step)?.[1]);

test('any wish on any machine gives a text that GStreamer knows, or a known refusal', () => {
  const seen = new Set<string>();
  fc.assert(
    fc.property(wanted, machines, (wish, machine) => {
      let made: Plan;
      try {
        made = plan(wish, machine);
      } catch (error) {
        assert.ok(error instanceof NoPlan, String(error));
        assert.ok(isFaultCode(error.code), error.code);
        seen.add(error.code);
        return;
      }
      seen.add('plan');
      if (made.adjustable.length > 0) seen.add('something adjustable');
      if (made.pipelines.some(({ properties }) => properties.length > 0)) seen.add('a property set apart');
      assertSound(made, wish);
      const installed = new Set(machine.elements);
      for (const { text } of made.pipelines)
        assert.deepEqual(
          elementsOf(text).filter((element) => !installed.has(element)),
          [],
        );
      assert.doesNotMatch(describe(made), /undefined|NaN/);
      assert.deepEqual(plan(wish, machine), made, 'the same again');
    }),
    { numRuns: 3000 },
  );
  const outcomes = ['plan', 'something adjustable', 'a property set apart'];
  for (const outcome of [...outcomes, 'source_not_found', 'encoder_missing', 'plugin_missing', 'passthrough_unfit'])
    assert.ok(seen.has(outcome), `the space holds no ${outcome}`);
});

test('the RTMP output is known to GStreamer', () => assertKnown(rtmpOutput().text));

test('only what is missing here goes unchecked', () => {
  for (const element of debian) assert.ok(propertiesOf(element).length > 0, `${element} is not installed`);
});
