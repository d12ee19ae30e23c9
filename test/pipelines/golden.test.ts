/** The named cases, each against the exact text and properties in test/golden; UPDATE_GOLDEN=1 writes them anew. */
import assert from 'node:assert/strict';
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { test } from 'node:test';
import { describe } from '../../pipelines/describe.js';
import type { Facts } from '../../pipelines/facts.js';
import { rtmpOutput } from '../../pipelines/outputs/rtmp.js';
import { plan } from '../../pipelines/plan.js';
import type { Wanted } from '../../pipelines/wanted.js';
import { root } from '../helpers/root.js';
import {
  c270,
  c270Microphone,
  c920,
  c920Microphone,
  movie,
  omx,
  pc,
  pi3,
  piCam,
  usbAudio,
  want,
  webm,
} from './machines.js';

const folder = path.join(root, 'test', 'golden');

const cases: Readonly<Record<string, readonly [Wanted, Facts]>> = {
  'pi3-picam-legacy': [want({ fps: 25 }), { ...pi3, cameras: [piCam] }],
  'pi3-picam-usb-audio': [want({}, { gainDb: 6 }), { ...pi3, cameras: [piCam], microphones: [usbAudio] }],
  'pi3-picam-explicit-v4l2h264enc': [want({ encoder: 'v4l2h264enc' }), { ...pi3, cameras: [piCam] }],
  'zero-w-picam': [want({ width: 640, height: 480, fps: 25, bitrateKbps: 1000 }), { ...pc, cameras: [piCam] }],
  'pi3-c920-passthrough': [want(), { ...pi3, cameras: [c920], microphones: [usbAudio, c920Microphone] }],
  'pi3-c920-insisting-on-passthrough-60': [
    want({ encoder: 'passthrough', fps: 60 }),
    { ...pi3, cameras: [c920], microphones: [c920Microphone] },
  ],
  'pi3-c270-mjpeg-v4l2h264enc': [want(), { ...pi3, cameras: [c270], microphones: [c270Microphone] }],
  'pi3-c270-1080p30-scaled': [
    want({ source: '1-1.3', width: 1920, height: 1080, bitrateKbps: 4500 }),
    { ...pi3, cameras: [c920, c270] },
  ],
  'pi3-c270-omxh264enc': [
    want(),
    { ...pc, elements: [...pc.elements, 'omxh264enc'], encoders: [omx, ...pc.encoders], cameras: [c270] },
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
  'playlist-passthrough-loop': [
    want({ source: 'file', files: [movie.path, '/media/two.mp4'], loop: true }),
    { ...pc, files: [movie, { ...movie, path: '/media/two.mp4' }] },
  ],
  'playlist-mixed-transcode': [
    want({ source: 'file', files: [movie.path, webm.path] }),
    { ...pi3, files: [movie, webm] },
  ],
};

function written([wanted, facts]: readonly [Wanted, Facts]): string {
  const made = plan(wanted, facts);
  const about = { bitrate: made.bitrate ?? null, volume: made.volume ?? null, loop: made.loop };
  const pieces = made.pieces.map(({ text, properties }) => {
    const set = properties.map(({ element, property, value }) => `${element}.${property} = ${JSON.stringify(value)}\n`);
    return `\n${text}\n${set.join('')}`;
  });
  return `# ${describe(made)}\n# ${JSON.stringify(about)}\n${pieces.join('')}`;
}

function check(name: string, text: string): void {
  const file = path.join(folder, `${name}.txt`);
  if (process.env['UPDATE_GOLDEN']) writeFileSync(file, text);
  assert.equal(text, readFileSync(file, 'utf8'));
}

for (const [name, given] of Object.entries(cases)) test(`golden ${name}`, () => check(name, written(given)));
test('golden output-rtmp', () => check('output-rtmp', `${rtmpOutput().text}\n`));

test('every golden file belongs to a case', () => {
  const names = [...Object.keys(cases), 'output-rtmp'].map((name) => `${name}.txt`);
  assert.deepEqual(readdirSync(folder).sort(), names.sort());
});
