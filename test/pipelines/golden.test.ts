/** The named cases, each against the exact text and properties in test/pipelines/golden; UPDATE_GOLDEN=1 writes them anew. */
import assert from 'node:assert/strict';
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { test } from 'node:test';
import { plan } from '../../pipelines/choose/best.js';
import { candidates } from '../../pipelines/choose/candidates.js';
import { defaultFormat, resolveAuto } from '../../pipelines/choose/defaults.js';
import { describe } from '../../pipelines/describe.js';
import type { Camera, Machine } from '../../pipelines/machine.js';
import type { OnAir } from '../../pipelines/onair.js';
import { rtmpOutput } from '../../pipelines/outputs/rtmp.js';
import { unitText } from '../../pipelines/sources/unit.js';
import type { Wish } from '../../pipelines/wanted.js';
import { root } from '../helpers/root.js';
import {
  c270,
  c270Microphone,
  c920,
  c920Microphone,
  hdmiDongle,
  hdmiSound,
  i2s,
  imx219,
  imx708,
  movie,
  omx,
  pc,
  pi3,
  pi3Cut,
  pi4,
  pi5,
  piCam,
  usbAudio,
  v4l2,
  want,
  webm,
  wish,
  zero2W,
  zeroW,
} from './machines.js';

const folder = path.join(root, 'test', 'pipelines', 'golden');

/** Whose pictures the encoder can read where they lie. */
const sharing: Camera = {
  ...imx219,
  sharesMemory: true,
  formats: [...imx219.formats, ...imx219.formats.map((format) => ({ ...format, fourcc: 'YUYV' }))],
};

const cases: Readonly<Record<string, readonly [Wish, Machine, OnAir?]>> = {
  'zero-w-picam-legacy': [wish(), { ...zeroW, cameras: [piCam] }],
  'zero-w-c920-passthrough': [wish(), { ...zeroW, cameras: [c920], microphones: [c920Microphone] }],
  'zero-w-c270-480p': [wish(), { ...zeroW, cameras: [c270], microphones: [c270Microphone] }],
  'zero-w-c270-10fps': [wish({ fps: 10 }), { ...zeroW, cameras: [c270], microphones: [c270Microphone] }],
  'zero-w-c270-packed': [
    wish(),
    { ...zeroW, encoders: [{ ...v4l2, takes: ['YUY2'] }, ...pc.encoders], cameras: [c270] },
  ],
  'zero-w-hdmi-dongle-15fps': [wish(), { ...zeroW, cameras: [hdmiDongle] }],
  'zero-w-hdmi-dongle-v4l2jpegdec': [
    wish(),
    {
      ...zeroW,
      elements: [...zeroW.elements, 'v4l2jpegdec'],
      jpegDecoder: { fullRange: false },
      cameras: [hdmiDongle],
    },
  ],
  'zero-2-w-picam-shared': [wish(), { ...zero2W, cameras: [sharing] }],
  // Scaled on the way: the encoder could not read it where it lay.
  'zero-2-w-picam-shared-360x202': [want({ width: 360, height: 202 }), { ...zero2W, cameras: [sharing] }],
  'zero-2-w-picam-libcamera': [wish(), { ...zero2W, cameras: [imx219] }],
  'pi3-picam-legacy': [wish(), { ...pi3, cameras: [piCam] }],
  'pi3-picam-usb-audio': [wish({}, { gainDb: 6 }), { ...pi3, cameras: [piCam], microphones: [usbAudio] }],
  'pi3-picam-i2s-upside-down-50hz': [
    wish({}, {}, { rotation: 180, powerLineHz: 50 }),
    { ...pi3, cameras: [piCam], microphones: [i2s] },
  ],
  'pi3-picam-explicit-v4l2h264enc': [want({ encoder: 'v4l2h264enc' }), { ...pi3, cameras: [piCam] }],
  'zero-2-w-picam-v3': [wish({}, {}, { exposureMs: 10, focus: 'auto' }), { ...zero2W, cameras: [imx708] }],
  'pi3-picam-libcamera': [wish(), { ...pi3, cameras: [imx219], microphones: [usbAudio] }],
  'pi3-c920-passthrough': [wish(), { ...pi3, cameras: [c920], microphones: [usbAudio, c920Microphone] }],
  'pi3-c920-insisting-on-passthrough-60': [
    want({ encoder: 'passthrough', fps: 60 }),
    { ...pi3, cameras: [c920], microphones: [c920Microphone] },
  ],
  'pi3-c920-manual-controls': [
    wish({}, {}, { exposureMs: 10, whiteBalance: 5000, focus: 33, zoom: 150, horizontalFlip: true }),
    { ...pi3, cameras: [c920], microphones: [c920Microphone] },
  ],
  'pi3-c270-mjpeg-v4l2h264enc': [wish(), { ...pi3, cameras: [c270], microphones: [c270Microphone] }],
  'pi3-c270-1080p30-scaled': [
    want({ source: '1-1.3', width: 1920, height: 1080, bitrateKbps: 4500 }),
    { ...pi3, cameras: [c920, c270] },
  ],
  'pi3-hdmi-dongle': [wish(), { ...pi3, cameras: [hdmiDongle], microphones: [usbAudio, hdmiSound] }],
  'pi3-gpu-mem-16-c270': [wish(), { ...pi3Cut, cameras: [c270], microphones: [c270Microphone] }],
  'pi4-picam-libcamera-1080p30': [wish({ height: 1080 }), { ...pi4, cameras: [imx219] }],
  'pi5-picam-libcamera-x264enc': [wish(), { ...pi5, cameras: [imx219], microphones: [usbAudio] }],
  'pi3-c270-omxh264enc': [
    want(),
    {
      ...pi3Cut,
      elements: [...pc.elements, 'omxh264enc'],
      encoders: [omx, ...pc.encoders],
      cameras: [c270],
    },
  ],
  'pc-c270-mjpeg-x264enc': [want(), { ...pc, cameras: [c270], microphones: [c270Microphone] }],
  'pc-c270-yuyv-x264enc': [want({ width: 640, height: 480 }), { ...pc, cameras: [c270] }],
  'pc-c270-yuyv-openh264enc': [want({ width: 640, height: 480, encoder: 'openh264enc' }), { ...pc, cameras: [c270] }],
  'pc-c920-by-id-mono-avenc': [
    want(
      { source: `/dev/v4l/by-id/${c920.byId}`, encoder: 'x264enc', fps: 24 },
      { source: 'C920', rate: 44100, channels: 1, mute: true },
    ),
    {
      ...pc,
      elements: pc.elements.filter((element) => element !== 'voaacenc'),
      cameras: [c270, c920],
      microphones: [c920Microphone],
    },
  ],
  'pc-test-bars': [want(), pc],
  'pc-test-bars-no-clock': [want(), { ...pc, elements: pc.elements.filter((element) => element !== 'clockoverlay') }],
  'pi3-test-ball-1080p': [
    want({ source: 'test', testPattern: 'ball', width: 1920, height: 1080, fps: 30000 / 1001, keyframeSeconds: 1 }),
    pi3,
  ],
  'pc-test-sync': [want({ source: 'test', testPattern: 'sync' }), { ...pc, microphones: [usbAudio] }],
  'pc-test-silent': [want({ source: 'test' }, { source: 'none' }), pc],
  'file-passthrough': [want({ source: 'file', files: [movie.path] }), { ...pc, files: [movie] }],
  'file-passthrough-silence': [
    want({ source: 'file', files: [movie.path] }, { source: 'none' }),
    { ...pc, files: [movie] },
  ],
  'file-transcode': [want({ source: 'file', files: [webm.path] }), { ...pc, files: [webm] }],
  'zero-w-slate': [wish({ source: '/dev/video9' }), { ...zeroW, microphones: [usbAudio] }],
  'pc-slate': [want({ source: '/dev/video9' }), { ...pc, microphones: [usbAudio] }],
  'pc-slate-image': [
    { ...want({ source: '/dev/video9' }), slate: { text: '', image: '/media/card.png' } },
    { ...pc, slateImage: { path: '/media/card.png', version: '1' } },
  ],
  'file-played-slate': [
    want({ source: 'file', files: [movie.path] }),
    { ...pc, files: [movie], microphones: [usbAudio] },
    { filesPlayed: true },
  ],
  'playlist-passthrough-loop': [
    want({ source: 'file', files: [movie.path, '/media/two.mp4'], loop: true }),
    { ...pc, files: [movie, { ...movie, path: '/media/two.mp4' }] },
  ],
  'playlist-mixed-transcode': [
    want({ source: 'file', files: [movie.path, webm.path] }),
    { ...pi3, files: [movie, webm] },
  ],
};

function written([wish, machine, onAir]: readonly [Wish, Machine, OnAir?]): string {
  const made = plan(resolveAuto(wish, machine), machine, onAir);
  const live = made.adjustable.map(({ element, property, value }) => `# live: ${element}.${property} = ${value}\n`);
  const asked = [made.keyframe ?? []].flat().map((to) => `# keyframe: ${to.element}.${to.property} = ${to.value}\n`);
  const notes = made.notes.map((note) => `# ${note}\n`);
  const told = made.encoderUnit ? [`# told: ${unitText(made.encoderUnit)}\n`] : [];
  const pipelines = made.pipelines.map(({ text, properties }) => {
    const set = properties.map(({ element, property, value }) => `${element}.${property} = ${JSON.stringify(value)}\n`);
    return `\n${text}\n${set.join('')}`;
  });
  return `# ${describe(made)}\n${notes.join('')}${told.join('')}${live.join('')}${asked.join('')}${pipelines.join('')}`;
}

function check(name: string, text: string): void {
  const file = path.join(folder, `${name}.txt`);
  if (process.env['UPDATE_GOLDEN']) writeFileSync(file, text);
  assert.equal(text, readFileSync(file, 'utf8'));
}

for (const [name, given] of Object.entries(cases)) test(`golden ${name}`, () => check(name, written(given)));
test('golden output-rtmp', () => check('output-rtmp', `${rtmpOutput().text}\n`));

/** Every candidate, and what became of it. */
function chosen([wish, machine]: readonly [Wish, Machine, OnAir?]): string {
  const wanted = resolveAuto(wish, machine);
  const { format, why } = defaultFormat(wish, machine);
  const lines = candidates(wanted, machine).map(({ what, why, plan, refused }) =>
    plan ? `works: ${what}: ${why}` : `no: ${what}: ${refused!.what}`,
  );
  return `${format.width}x${format.height} at ${format.fps}: ${why}\n${lines.join('\n')}\n`;
}

const choices: Readonly<Record<string, readonly [Wish, Machine, OnAir?]>> = {
  'candidates-zero-w-picam-legacy': [wish(), { ...zeroW, cameras: [piCam] }],
  'candidates-pi3-c920-and-c270': [wish(), { ...pi3, cameras: [c920, c270] }],
  'candidates-pi3-gpu-mem-16-c270': [wish(), { ...pi3Cut, cameras: [c270] }],
  'candidates-pi5-c920': [wish(), { ...pi5, cameras: [c920] }],
};
for (const [name, given] of Object.entries(choices)) test(`golden ${name}`, () => check(name, chosen(given)));

test('every golden file belongs to a case', () => {
  const names = [...Object.keys(cases), ...Object.keys(choices), 'output-rtmp'].map((name) => `${name}.txt`);
  assert.deepEqual(readdirSync(folder).sort(), names.sort());
});
