/** Pipeline texts that find out what this machine, or a media file, can do. They run in `gst-launch-1.0`, not in the capture process. */
import { avc } from './branch.js';
import { sharedFourcc } from './choose/camera.js';
import { encoders } from './choose/encoders.js';
import { v4l2h264enc } from './encoders/v4l2h264enc.js';
import { caps, type Chain, element, launchText, pad } from './graph.js';
import type { Camera } from './machine.js';
import { rawAac } from './mix/aac.js';
import { libcameraSource } from './sources/libcamera.js';
import type { EncoderName } from './wanted.js';

/** Half a second of pictures at 30 a second: one keyframe and what follows it. */
const probedFrames = 15;

/**
 * Encodes test pictures with the settings of a real broadcast (hardware encoders refuse small sizes, low rates or caps
 * without a level, and would look broken) and writes H.264 to descriptor 4. `format`: of the raw pictures, else the encoder's first.
 */
export function encoderProbe(name: EncoderName, format?: string): string {
  const encoder = encoders.find(({ element }) => element === name)!;
  const pictures = caps('video/x-raw', { format: format ?? encoder.formats[0]!, ...probed });
  return launchText([element('videotestsrc', few), pictures, ...encoder.chain(settings), ...written]);
}

const few = { 'num-buffers': probedFrames };
const settings = { width: 1280, height: 720, fps: 30, bitrateKbps: 2500, keyframeFrames: 60 };
const probed = { width: settings.width, height: settings.height, framerate: '30/1' };
const output = element('fdsink', { fd: 4, sync: false });
const written: Chain = [
  element('h264parse'),
  caps('video/x-h264', { 'stream-format': 'byte-stream', alignment: 'au' }),
  output,
];

/** Encodes pictures of the camera `path` that libcamera drives, read by the encoder where they lie. H.264 comes out of descriptor 4. */
export function sharedProbe({ path }: Camera): string {
  const format = {
    fourcc: sharedFourcc,
    kind: 'raw',
    width: settings.width,
    height: settings.height,
    fps: settings.fps,
  } as const;
  const { chain } = libcameraSource({ path, controls: [] }, format, { set: [], all: [], notes: [] });
  return launchText([
    ...chain.map((step) => ('apart' in step ? element(step.element, step.apart) : step)),
    element('identity', { 'eos-after': probedFrames }),
    ...v4l2h264enc.chain({ ...settings, sharedMemory: true }),
    ...written,
  ]);
}

/**
 * Decodes a white JPEG in hardware. The pictures come out of descriptor 4, in formats that begin with the brightness of the first pixel: 255 is
 * JPEG's own range, 235 that of television.
 */
export const jpegProbe = (): string =>
  launchText([
    element('videotestsrc', { pattern: 'white', ...few }),
    caps('video/x-raw', { format: 'I420', ...probed }),
    // Whiter than television's white.
    element('videobalance', { brightness: 0.2 }),
    element('jpegenc'),
    element('v4l2jpegdec'),
    caps('video/x-raw', { format: '(string){I420,YV12,NV12,NV21,YUY2}' }),
    output,
  ]);

/** The media file that a probe looks into comes as descriptor 3, so that its name is part of no text. */
const file: Chain = [element('filesrc', { location: '/dev/fd/3' }), element('parsebin', { name: 'streams' })];

/** Sinks of {@link fileProbe}: the first four streams of a file. More are never used. */
export const probedStreams = ['s0', 's1', 's2', 's3'] as const;

/**
 * Element of {@link fileProbe} whose message `progress` comes once every stream was seen, and tells the duration, in seconds
 * where `format` is time: it asks for bytes where there is no time, as in a photograph, and says nothing if that fails too.
 */
export const fileProbeEnd = 'progress';

/**
 * Shows (by the caps of its sinks, with `-v`) what streams a file holds. Two hundred frames of the first stream are far enough
 * into any interleaved file to have met the others. The watchdog ends it should nobody be left to do so.
 */
export function fileProbe(): string {
  const seen = [
    element('identity', { 'eos-after': 200 }),
    element('watchdog', { timeout: 20_000 }),
    element('progressreport', { name: fileProbeEnd, silent: true }),
  ];
  const streams = probedStreams.map((name, index): Chain => [
    pad('streams'),
    ...(index === 0 ? seen : []),
    element('fakesink', { name, sync: false, async: false }),
  ]);
  return launchText(file, ...streams);
}

/** The whole H.264 stream of a file as FLV tags on descriptor 4, as fast as the disk gives it. */
export const fileVideoScan = (): string =>
  launchText([...file, caps('video/x-h264'), ...avc, element('flvmux'), output]);

/** The same for AAC. */
export const fileAudioScan = (): string =>
  launchText([...file, caps('audio/mpeg', { mpegversion: 4 }), element('aacparse'), rawAac, element('flvmux'), output]);
