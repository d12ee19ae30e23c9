/** A camera whose pictures are encoded here: raw as they are, MJPEG and H.264 decoded first. */
import type { Camera, Facts } from '../facts.js';
import type { WantedVideo } from '../wanted.js';
import { cameraName, decoderOf } from './camera.js';
import type { Controls } from './controls.js';
import { type Choice, type Kind, rawName } from './format.js';
import { libcameraSource } from './libcamera.js';
import { type Picture, rawCaps } from './picture.js';
import { narrowed } from './range.js';
import { adjustableControls, v4l2Source } from './v4l2.js';

/**
 * `videorate` is always there: a webcam slows down in the dark, whatever it lists. After a decoder a short queue gives decoding
 * and encoding a core each; it drops rather than delays when the encoder is too slow.
 */
export function cameraRaw(
  camera: Camera,
  format: Choice,
  video: WantedVideo,
  accepted: readonly string[],
  facts: Facts,
  controls: Controls,
): Picture {
  const source =
    camera.api === 'libcamera' ? libcameraSource(camera, format) : v4l2Source(camera, format, controls.set);
  const queue = 'queue max-size-buffers=2 max-size-bytes=0 max-size-time=0 leaky=downstream';
  const decoded: Readonly<Record<Kind, readonly string[]>> = {
    raw: [],
    jpeg: ['jpegdec', queue],
    h264: ['h264parse', decoderOf(facts)!, queue],
  };
  const raw = rawName(format.fourcc);
  const target = raw !== undefined && accepted.includes(raw) ? raw : accepted[0]!;
  const sized = format.width === video.width && format.height === video.height;
  const caps = rawCaps(video, target);
  const steps = [
    source.text,
    ...decoded[format.kind],
    'videorate skip-to-first=true',
    ...(sized ? [] : ['videoscale add-borders=true']),
    ...(format.kind === 'jpeg' ? [narrowed('bt601')] : []),
    ...(raw === target ? [] : ['videoconvert']),
    sized ? caps.replace(',pixel-aspect-ratio=1/1', '') : caps,
  ];
  return {
    text: steps.join(' ! '),
    properties: source.properties,
    source: cameraName(camera),
    adjustable: camera.api === 'libcamera' ? [] : adjustableControls(controls.all),
  };
}
