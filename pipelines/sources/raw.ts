/** A camera whose pictures are encoded here: raw as they are, MJPEG and H.264 decoded first. */
import { cameraName, decoderOf } from '../choose/camera.js';
import { type Choice, rawName, reaches } from '../choose/format.js';
import { fraction } from '../fraction.js';
import { caps, type Caps, type Chain, element, type Fields } from '../graph.js';
import type { Camera, Machine } from '../machine.js';
import type { WantedVideo } from '../wanted.js';
import type { Controls } from './controls.js';
import { jpegDecoder } from './jpeg.js';
import { libcameraSource } from './libcamera.js';
import { type Picture, rawCaps, square } from './picture.js';
import { narrowed } from './range.js';
import { adjustableControls, v4l2Source } from './v4l2.js';

/** How old a picture may be when it has been fetched over USB and decoded, without being taken for one that is missing: three at 30 fps. */
const latenessMs = 100;

/** JPEGs that are too many are left out before they are decoded: each stands for itself. */
function decoded(format: Choice, video: WantedVideo, machine: Machine): Chain {
  switch (format.kind) {
    case 'raw':
      return [];
    case 'jpeg':
      return [
        ...(reaches(video.fps, format.fps) ? [] : [element('videorate', thinned(video.fps))]),
        element(jpegDecoder(format, video, machine).element),
      ];
    case 'h264':
      return [element('h264parse'), element(decoderOf(machine)!)];
  }
}

const thinned = (fps: number): Fields => ({ 'drop-only': true, 'max-rate': Math.ceil(fps) });

/**
 * A webcam slows down in the dark, whatever it lists, and stalls. `compositor` gives a picture whenever one is due: the newest, which
 * may be the last once more. `videorate` would repeat it only when the next one comes, and the muxer has given up on all of those by
 * then: half a group of pictures would be missing behind the encoder. So it only counts, and takes away what is too many.
 */
const steadied = (isFull: boolean, video: WantedVideo, converted: Chain, pictures: Caps): Chain => [
  element('videorate', { name: 'arrivals', ...thinned(video.fps) }),
  // Does nothing where the size is the camera's and its pixels are square.
  element('videoscale', { 'add-borders': true }),
  caps('video/x-raw', { width: video.width, height: video.height, ...square }),
  ...(isFull ? narrowed('bt601') : []),
  ...converted,
  element('compositor', { name: 'steady', 'start-time-selection': 'first', latency: latenessMs * 1_000_000 }),
  pictures,
  // A thread for the encoder alone. Room for what comes at once after a gap, and no more delay where it is too slow.
  element('queue', {
    'max-size-buffers': 0,
    'max-size-bytes': 0,
    'max-size-time': (latenessMs + Math.ceil(3000 / video.fps)) * 1_000_000,
    leaky: 'downstream',
  }),
];

/** A sensor that libcamera drives keeps its pace, and its pictures lie in memory that is slow to copy: they pass as they are. */
function paced(isSized: boolean, { width, height, fps }: WantedVideo, converted: Chain, format: string): Chain {
  const pictures = { format, width, height, framerate: fraction(fps) };
  return [
    element('videorate', { 'skip-to-first': true, 'max-duplication-time': 400_000_000 }),
    ...(isSized ? [] : [element('videoscale', { 'add-borders': true })]),
    ...converted,
    caps('video/x-raw', isSized ? pictures : { ...pictures, ...square }),
  ];
}

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
  const source = cameraName(camera);
  const converted = raw === target ? [] : [element('videoconvert')];
  if (camera.api === 'libcamera') {
    const { chain, adjustable } = libcameraSource(camera, format, controls);
    const isSized = format.width === video.width && format.height === video.height;
    return { chain: [...chain, ...paced(isSized, video, converted, target)], source, adjustable };
  }
  const named = raw === target ? [] : [...converted, caps('video/x-raw', { format: target })];
  const isFull = format.kind === 'jpeg' && jpegDecoder(format, video, machine).fullRange;
  return {
    chain: [
      ...v4l2Source(camera, format, controls.set),
      ...decoded(format, video, machine),
      ...steadied(isFull, video, named, rawCaps(video, target)),
    ],
    source,
    pulse: { element: 'arrivals', property: 'in' },
    adjustable: adjustableControls(controls.all),
  };
}
