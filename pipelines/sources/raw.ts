/** A camera whose pictures are encoded here: raw as they are, MJPEG and H.264 decoded first. */
import type { Camera, Machine } from '../machine.js';
import type { WantedVideo } from '../wanted.js';
import { cameraName, decoderOf } from './camera.js';
import type { Controls } from './controls.js';
import { type Choice, rawName, reaches } from './format.js';
import { jpegDecoder } from './jpeg.js';
import { libcameraSource } from './libcamera.js';
import { type Picture, rawCaps } from './picture.js';
import { narrowed } from './range.js';
import { adjustableControls, v4l2Source } from './v4l2.js';

/** How old a picture may be when it has been fetched over USB and decoded, without being taken for one that is missing: three at 30 fps. */
const latenessMs = 100;

/** JPEGs that are too many are left out before they are decoded: each stands for itself. */
function decoded(format: Choice, video: WantedVideo, machine: Machine): readonly string[] {
  switch (format.kind) {
    case 'raw':
      return [];
    case 'jpeg':
      return [
        ...(reaches(video.fps, format.fps) ? [] : [thinned(video.fps)]),
        jpegDecoder(format, video, machine).element,
      ];
    case 'h264':
      return ['h264parse', decoderOf(machine)!];
  }
}

const thinned = (fps: number): string => `videorate drop-only=true max-rate=${Math.ceil(fps)}`;

/**
 * A webcam slows down in the dark, whatever it lists, and stalls. `compositor` gives a picture whenever one is due: the newest, which
 * may be the last once more. `videorate` would repeat it only when the next one comes, and the muxer has given up on all of those by
 * then: half a group of pictures would be missing behind the encoder. So it only counts, and takes away what is too many.
 */
const steadied = (isFull: boolean, video: WantedVideo, converted: readonly string[], caps: string): string[] => [
  `videorate name=arrivals drop-only=true max-rate=${Math.ceil(video.fps)}`,
  // Does nothing where the size is the camera's and its pixels are square.
  'videoscale add-borders=true',
  `video/x-raw,width=${video.width},height=${video.height},pixel-aspect-ratio=1/1`,
  ...(isFull ? [narrowed('bt601')] : []),
  ...converted,
  `compositor name=steady start-time-selection=first latency=${latenessMs}000000`,
  caps,
  // A thread for the encoder alone. Room for what comes at once after a gap, and no more delay where it is too slow.
  `queue max-size-buffers=0 max-size-bytes=0 max-size-time=${latenessMs + Math.ceil(3000 / video.fps)}000000 leaky=downstream`,
];

/** A sensor that libcamera drives keeps its pace, and its pictures lie in memory that is slow to copy: they pass as they are. */
const paced = (isSized: boolean, converted: readonly string[], caps: string): string[] => [
  'videorate skip-to-first=true max-duplication-time=400000000',
  ...(isSized ? [] : ['videoscale add-borders=true']),
  ...converted,
  isSized ? caps.replace(',pixel-aspect-ratio=1/1', '') : caps,
];

export function cameraRaw(
  camera: Camera,
  format: Choice,
  video: WantedVideo,
  accepted: readonly string[],
  machine: Machine,
  controls: Controls,
): Picture {
  const raw = rawName(format.fourcc);
  const target = raw !== undefined && accepted.includes(raw) ? raw : accepted[0]!;
  const caps = rawCaps(video, target);
  const text = (...steps: readonly string[]): string => steps.join(' ! ');
  if (camera.api === 'libcamera') {
    const source = libcameraSource(camera, format, controls);
    const isSized = format.width === video.width && format.height === video.height;
    const converted = raw === target ? [] : ['videoconvert'];
    return {
      text: text(source.text, ...paced(isSized, converted, caps)),
      properties: source.properties,
      source: cameraName(camera),
      adjustable: source.adjustable,
    };
  }
  const source = v4l2Source(camera, format, controls.set);
  const converted = raw === target ? [] : ['videoconvert', `video/x-raw,format=${target}`];
  const isFull = format.kind === 'jpeg' && jpegDecoder(format, video, machine).fullRange;
  return {
    text: text(source.text, ...decoded(format, video, machine), ...steadied(isFull, video, converted, caps)),
    properties: source.properties,
    source: cameraName(camera),
    pulse: { element: 'arrivals', property: 'in' },
    adjustable: adjustableControls(controls.all),
  };
}
