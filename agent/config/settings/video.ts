/** What is seen: where the picture comes from, its format and its encoder. */
import type { Row } from '../row.js';

export interface VideoSettings {
  readonly source: string;
  readonly files: readonly string[];
  readonly loop: boolean;
  readonly atEnd: 'stop' | 'slate';
  readonly testPattern: 'bars' | 'ball' | 'sync';
  readonly width: number | 'auto';
  readonly height: number | 'auto';
  readonly fps: number | 'auto';
  readonly bitrateKbps: number | 'auto';
  readonly adaptive: boolean;
  readonly minBitrateKbps: number | 'auto';
  readonly keyframeSeconds: number;
  readonly encoder: 'auto' | 'passthrough' | 'x264enc' | 'openh264enc' | 'v4l2h264enc' | 'omxh264enc';
}

export const video: readonly Row[] = [
  {
    path: 'video.source',
    env: 'VIDEO_SOURCE',
    form: { type: 'text', words: 'auto, test, file, or a camera by path, by-id name or USB path' },
    default: 'auto',
    cost: 'rebuild',
    doc: 'Where the picture comes from: `auto` (the first camera, else the test picture), `test`, `file`, or a camera by path (`/dev/video0`), by-id name or USB path (`1-1.2`).',
  },
  {
    path: 'video.files',
    env: 'VIDEO_FILES',
    form: { type: 'paths' },
    default: [],
    cost: 'rebuild',
    doc: 'Media files to play, in order, when the source is `file`. In a variable: one path, several paths with one on each line, or a JSON array.',
  },
  {
    path: 'video.loop',
    env: 'VIDEO_LOOP',
    form: { type: 'boolean' },
    default: true,
    cost: 'rebuild',
    doc: 'Start the files again after the last one.',
  },
  {
    path: 'video.atEnd',
    env: 'VIDEO_AT_END',
    form: { type: 'choice', choices: ['stop', 'slate'] },
    default: 'stop',
    cost: 'rebuild',
    doc: 'After the last file, unless `video.loop` is on: `stop` ends the broadcast, `slate` shows the slate until the files change.',
  },
  {
    path: 'video.testPattern',
    env: 'VIDEO_TEST_PATTERN',
    form: { type: 'choice', choices: ['bars', 'ball', 'sync'] },
    default: 'bars',
    cost: 'rebuild',
    doc: 'Picture of the test source: bars with a clock, a ball that circles once a second by the clock of the machine, or a flash that coincides with a beep.',
  },
  {
    path: 'video.width',
    env: 'VIDEO_WIDTH',
    form: { type: 'integer', min: 320, max: 1920, even: true, words: ['auto'] },
    default: 'auto',
    unit: 'pixels',
    cost: 'restart',
    doc: 'Width of the broadcast; `auto`: what suits the board and the camera (docs/hardware.md), or what fits the height.',
    renamed: [{ env: 'AV_VIDEO_WIDTH' }],
  },
  {
    path: 'video.height',
    env: 'VIDEO_HEIGHT',
    form: { type: 'integer', min: 180, max: 1080, even: true, words: ['auto'] },
    default: 'auto',
    unit: 'pixels',
    cost: 'restart',
    doc: 'Height of the broadcast; `auto` as for the width.',
    renamed: [{ env: 'AV_VIDEO_HEIGHT' }],
  },
  {
    path: 'video.fps',
    env: 'VIDEO_FPS',
    form: { type: 'integer', min: 5, max: 60, words: ['auto'] },
    default: 'auto',
    unit: 'frames/s',
    cost: 'restart',
    doc: 'Frame rate of the broadcast; `auto` as for the width.',
    renamed: [{ env: 'AV_VIDEO_FRAMERATE' }],
  },
  {
    path: 'video.bitrateKbps',
    env: 'VIDEO_BITRATE_KBPS',
    form: { type: 'integer', min: 100, max: 20_000, words: ['auto'] },
    default: 'auto',
    unit: 'kbit/s',
    cost: 'live',
    doc: 'Bitrate of the video encoder; `auto` follows size and frame rate (2500 at 720p30). A source that is passed through keeps its own bitrate, unless it is a camera whose encoder can be controlled.',
  },
  {
    path: 'video.adaptive',
    env: 'VIDEO_ADAPTIVE',
    form: { type: 'boolean' },
    default: true,
    cost: 'live',
    doc: 'Lower the bitrate while a server, or the network on the way to it, takes less, if the encoder can change it.',
  },
  {
    path: 'video.minBitrateKbps',
    env: 'VIDEO_MIN_BITRATE_KBPS',
    form: { type: 'integer', min: 50, max: 20_000, words: ['auto'] },
    default: 'auto',
    unit: 'kbit/s',
    cost: 'live',
    doc: 'The bitrate is not lowered below this; `auto`: a fifth of `video.bitrateKbps`.',
  },
  {
    path: 'video.keyframeSeconds',
    env: 'VIDEO_KEYFRAME_SECONDS',
    form: { type: 'number', min: 0.5, max: 10 },
    default: 2,
    unit: 's',
    cost: 'rebuild',
    doc: 'Keyframe interval. Platforms ask for 4 s at most, most of them for 2 s.',
  },
  {
    path: 'video.encoder',
    env: 'VIDEO_ENCODER',
    form: { type: 'choice', choices: ['auto', 'passthrough', 'x264enc', 'openh264enc', 'v4l2h264enc', 'omxh264enc'] },
    default: 'auto',
    cost: 'rebuild',
    doc: 'H.264 encoder: `auto` prefers the one that needs the least work, `passthrough` insists on the H.264 of the source.',
  },
];
