/** A camera: which one, and in which of its formats. */
import { packageOf } from '../elements.js';
import type { Camera, Machine } from '../machine.js';
import { NoPlan } from '../noplan.js';
import type { Format, Way } from '../wanted.js';
import { type Choice, chooseFormat, type Kind } from './format.js';

/** The camera that `source` names: device path, by-id name with or without its folder, or USB path. */
export function findCamera(source: string, machine: Machine): Camera | undefined {
  const byId = source.replace(/^\/dev\/v4l\/by-id\//, '');
  return machine.cameras.find((camera) => camera.path === source || camera.byId === byId || camera.usbPath === source);
}

export function noCamera(source: string, machine: Machine): NoPlan {
  const there = machine.cameras.map((camera) => camera.path).join(', ') || 'none';
  return new NoPlan(
    'source_not_found',
    `There is no camera '${source}'; found: ${there}.`,
    'Plug it in, or set video.source to auto or to a camera that `makercast probe` lists.',
  );
}

/** For people: `camera HD Pro Webcam C920 (/dev/video0)`. */
export const cameraName = (camera: Camera): string => `camera ${camera.name} (${camera.path})`;

/** H.264 decoders, for a camera that has nothing else and an encoder that is insisted on. */
const decoders: readonly string[] = ['v4l2h264dec', 'avdec_h264', 'openh264dec'];

export const decoderOf = (machine: Machine): string | undefined =>
  decoders.find((decoder) => machine.elements.includes(decoder));

/** What an encoder here can be fed with, without decoding H.264 only to encode it again. */
export function rawKinds(machine: Machine): Kind[] {
  return machine.elements.includes('jpegdec') ? ['raw', 'jpeg'] : ['raw'];
}

/** What libcamera's pictures are asked to be where an encoder is to read them where they lie: in one plane, unlike its NV12. */
export const sharedFourcc = 'YUYV';

/** The format in which a camera's pictures reach the encoder without a copy; undefined where none does, or it would have to be scaled. */
export function sharedFormat(camera: Camera, way: Way, format: Format): Choice | undefined {
  if (!camera.sharesMemory || way !== 'v4l2h264enc') return undefined;
  const formats = camera.formats.filter(({ fourcc }) => fourcc === sharedFourcc);
  const choice = chooseFormat(formats, format, ['raw']);
  return choice?.width === format.width && choice.height === format.height ? choice : undefined;
}

/** The camera's own H.264, as near to `format` as it comes. Throws NoPlan. */
export function h264Format(camera: Camera, format: Format): Choice {
  const h264 = chooseFormat(camera.formats, format, ['h264']);
  if (h264) return h264;
  throw new NoPlan(
    'passthrough_unfit',
    `The camera ${camera.path} does not encode H.264 itself.`,
    'Set video.encoder to auto.',
  );
}

/** What the camera gives that an encoder here can be fed with, as near to `format` as it comes. Throws NoPlan. */
export function rawFormat(camera: Camera, format: Format, machine: Machine): Choice {
  const raw = chooseFormat(camera.formats, format, rawKinds(machine));
  if (raw) return raw;
  const h264 = chooseFormat(camera.formats, format, ['h264']);
  if (h264 && decoderOf(machine) !== undefined) return h264;
  const missing = h264 ? 'avdec_h264' : chooseFormat(camera.formats, format, ['jpeg']) ? 'jpegdec' : undefined;
  if (missing) {
    throw new NoPlan(
      'plugin_missing',
      `GStreamer lacks ${missing}, which the camera ${camera.path} needs.`,
      `Install the Debian package ${packageOf(missing)}.`,
    );
  }
  const offered = [...new Set(camera.formats.map(({ fourcc }) => fourcc))].join(', ') || 'nothing';
  throw new NoPlan(
    'source_format',
    `The camera ${camera.path} offers no usable format (it offers ${offered}).`,
    'Choose another camera in video.source.',
  );
}
