/** Texts that find out what this machine, or a media file, can do. They run in `gst-launch-1.0`, not in the capture process. */
import { encoders } from './encoders/encoders.js';
import { v4l2h264enc } from './encoders/v4l2h264enc.js';
import type { Camera } from './machine.js';
import { sharedFourcc } from './sources/camera.js';
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
  return (
    `videotestsrc num-buffers=${probedFrames} ! video/x-raw,format=${format ?? encoder.formats[0]!},width=1280,height=720,framerate=30/1 ! ` +
    `${encoder.text(settings)} ! ${written}`
  );
}

const settings = { width: 1280, height: 720, fps: 30, bitrateKbps: 2500, keyframeFrames: 60 };
const written = 'h264parse ! video/x-h264,stream-format=byte-stream,alignment=au ! fdsink fd=4 sync=false';

/** Encodes pictures of the camera `path` that libcamera drives, read by the encoder where they lie. H.264 comes out of descriptor 4. */
export function sharedProbe({ path }: Camera): string {
  const format = {
    fourcc: sharedFourcc,
    kind: 'raw',
    width: settings.width,
    height: settings.height,
    fps: settings.fps,
  } as const;
  const { text, properties } = libcameraSource({ path, controls: [] }, format, { set: [], all: [], notes: [] });
  const named = properties.map(({ property, value }) => `${property}=${value}`).join(' ');
  return (
    `${text.replace('name=video-source', named)} ! identity eos-after=${probedFrames} ! ` +
    `${v4l2h264enc.text({ ...settings, sharedMemory: true })} ! ${written}`
  );
}

/**
 * Decodes a white JPEG in hardware. The pictures come out of descriptor 4, in formats that begin with the brightness of the first pixel: 255 is
 * JPEG's own range, 235 that of television.
 */
export const jpegProbe = (): string =>
  `videotestsrc pattern=white num-buffers=${probedFrames} ! video/x-raw,format=I420,width=1280,height=720,framerate=30/1 ! ` +
  // Whiter than television's white.
  'videobalance brightness=0.2 ! jpegenc ! v4l2jpegdec ! video/x-raw,format=(string){I420,YV12,NV12,NV21,YUY2} ! fdsink fd=4 sync=false';

/** The media file that a probe looks into comes as descriptor 3, so that its name is part of no text. */
const file = 'filesrc location=/dev/fd/3 ! parsebin name=streams';

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
  const sinks = probedStreams.map((name) => `fakesink name=${name} sync=false async=false`);
  const first = `identity eos-after=200 ! watchdog timeout=20000 ! progressreport name=${fileProbeEnd} silent=true`;
  return `${file} streams. ! ${first} ! ${sinks[0]} ${sinks
    .slice(1)
    .map((sink) => `streams. ! ${sink}`)
    .join(' ')}`;
}

/** The whole H.264 stream of a file as FLV tags on descriptor 4, as fast as the disk gives it. */
export const fileVideoScan = (): string =>
  `${file} ! video/x-h264 ! h264parse ! video/x-h264,stream-format=avc,alignment=au ! flvmux ! fdsink fd=4 sync=false`;

/** The same for AAC. */
export const fileAudioScan = (): string =>
  `${file} ! audio/mpeg,mpegversion=4 ! aacparse ! audio/mpeg,mpegversion=4,stream-format=raw ! flvmux ! fdsink fd=4 sync=false`;
