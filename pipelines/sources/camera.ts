/** A V4L2 camera: which one, its H.264 as it comes, or its pictures made fit for an encoder. */
import { packageOf } from '../elements.js';
import { steppedBitrate } from '../encoders/v4l2h264enc.js';
import type { Camera, Facts } from '../facts.js';
import { fraction } from '../fraction.js';
import { NoPlan } from '../noplan.js';
import type { WantedVideo } from '../wanted.js';
import { asNear, type Choice, chooseFormat, type Kind, rawName } from './format.js';
import { type Picture, rawCaps } from './picture.js';

/** The camera that `source` names: device path, by-id name with or without its folder, or USB path. Throws NoPlan. */
export function findCamera(source: string, facts: Facts): Camera {
  const byId = source.replace(/^\/dev\/v4l\/by-id\//, '');
  const found = facts.cameras.find(
    (camera) => camera.path === source || camera.byId === byId || camera.usbPath === source,
  );
  if (found) return found;
  const there = facts.cameras.map((camera) => camera.path).join(', ') || 'none';
  throw new NoPlan(
    'source_not_found',
    `There is no camera '${source}'; found: ${there}.`,
    'Plug it in, or set video.source to auto or to a camera that `makercast probe` lists.',
  );
}

/** H.264 decoders, for a camera that has nothing else and an encoder that is insisted on. */
const decoders = ['v4l2h264dec', 'avdec_h264', 'openh264dec'];

/** How a camera is used: untouched H.264, or a format to be encoded. */
export interface CameraUse {
  readonly passthrough: boolean;
  readonly format: Choice;
}

/**
 * In `auto` the camera's own H.264 is taken where nothing else that it offers comes nearer to the wanted size and rate, or where
 * nothing here could encode. Throws NoPlan.
 */
export function cameraUse(camera: Camera, video: WantedVideo, facts: Facts): CameraUse {
  const h264 = chooseFormat(camera.formats, video, ['h264']);
  if (video.encoder === 'passthrough') {
    if (h264) return { passthrough: true, format: h264 };
    throw new NoPlan(
      'passthrough_unfit',
      `The camera ${camera.path} offers no H.264 of its own.`,
      'Set video.encoder to auto.',
    );
  }
  const installed = new Set(facts.elements);
  const kinds: Kind[] = ['raw'];
  if (installed.has('jpegdec')) kinds.push('jpeg');
  const other = chooseFormat(camera.formats, video, kinds);
  if (video.encoder === 'auto' && h264) {
    const encodes = facts.encoders.some((encoder) => encoder.works);
    if (!encodes || asNear(h264, other, video)) return { passthrough: true, format: h264 };
  }
  if (other) return { passthrough: false, format: other };
  if (h264 && decoders.some((decoder) => installed.has(decoder))) return { passthrough: false, format: h264 };
  throw unusable(camera, h264 !== undefined, video);
}

function unusable(camera: Camera, h264: boolean, video: WantedVideo): NoPlan {
  const missing = h264 ? 'avdec_h264' : chooseFormat(camera.formats, video, ['jpeg']) ? 'jpegdec' : undefined;
  if (missing) {
    return new NoPlan(
      'plugin_missing',
      `GStreamer lacks ${missing}, which the camera ${camera.path} needs.`,
      `Install the Debian package ${packageOf(missing)}.`,
    );
  }
  const offered = [...new Set(camera.formats.map((format) => format.fourcc))].join(', ') || 'nothing';
  return new NoPlan(
    'source_format',
    `The camera ${camera.path} offers no format that can be used (it offers ${offered}).`,
    'Choose another camera in video.source.',
  );
}

/** PiCam on the legacy stack: the GPU encodes, and the camera's node takes the encoder's controls. */
export const encodesItself = (camera: Camera): boolean => camera.driver.startsWith('bm2835');

/** The camera's own H.264. The size and rate of the broadcast are then the camera's. */
export function cameraH264(camera: Camera, format: Choice, video: WantedVideo): Picture {
  const frames = Math.max(1, Math.round(video.keyframeSeconds * format.fps));
  const controls = `controls,video_bitrate=${steppedBitrate(video.bitrateKbps)},h264_i_frame_period=${frames},repeat_sequence_header=1,h264_profile=4`;
  return {
    text:
      `v4l2src name=video-source${encodesItself(camera) ? ` extra-controls="${controls}"` : ''} ! ` +
      `video/x-h264,width=${format.width},height=${format.height},framerate=${fraction(format.fps)}`,
    properties: [device(camera)],
    source: `camera ${camera.name} (${camera.path})`,
  };
}

/**
 * Raw pictures from the camera. `videorate` is always there: a webcam slows down in the dark, whatever it lists. After a decoder
 * a short queue gives decoding and encoding a core each; it drops rather than delays when the encoder is too slow. JPEG has
 * the full range of brightness, which many players show too dark and too bright: the conversion narrows it in passing.
 */
export function cameraRaw(
  camera: Camera,
  format: Choice,
  video: WantedVideo,
  accepted: readonly string[],
  facts: Facts,
): Picture {
  const size = `width=${format.width},height=${format.height},framerate=${fraction(format.fps)}`;
  const queue = 'queue max-size-buffers=2 max-size-bytes=0 max-size-time=0 leaky=downstream';
  const decoder = decoders.find((name) => facts.elements.includes(name));
  const raw = rawName(format.fourcc);
  const begin: Readonly<Record<Kind, string>> = {
    raw: `video/x-raw,format=${raw},${size}`,
    jpeg: `image/jpeg,${size} ! jpegdec ! ${queue}`,
    h264: `video/x-h264,${size} ! h264parse ! ${decoder} ! ${queue}`,
  };
  const target = raw !== undefined && accepted.includes(raw) ? raw : accepted[0]!;
  const sized = format.width === video.width && format.height === video.height;
  const steps = [
    'v4l2src name=video-source',
    begin[format.kind],
    'videorate skip-to-first=true',
    ...(sized ? [] : ['videoscale add-borders=true']),
    ...(raw === target ? [] : ['videoconvert']),
    (sized ? rawCaps(video, target).replace(',pixel-aspect-ratio=1/1', '') : rawCaps(video, target)) +
      (format.kind === 'jpeg' ? ',colorimetry=bt601' : ''),
  ];
  return { text: steps.join(' ! '), properties: [device(camera)], source: `camera ${camera.name} (${camera.path})` };
}

const device = (camera: Camera) => ({ element: 'video-source', property: 'device', value: camera.path });
