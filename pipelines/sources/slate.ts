/** The slate: a card that stands in for a missing picture. One picture is drawn, and the same one sent for as long as it lasts. */
import { fraction } from '../fraction.js';
import { caps, type Caps, type Chain, element } from '../graph.js';
import type { WantedSlate, WantedVideo } from '../wanted.js';
import { textOverlay } from '../overlays/text.js';
import { type Picture, square } from './picture.js';
import { narrowed } from './range.js';

/** Dark blue, ARGB: no flash in a dark room, and not the black of a broken stream. */
const ground = 0xff1c2733;

/**
 * `imagefreeze` sends the one picture again and again without copying it, so that a slate costs little more than what an
 * encoder makes of a picture that stands still.
 */
export function slatePicture(
  slate: WantedSlate,
  isJpeg: boolean,
  video: WantedVideo,
  format: string,
  installed: ReadonlySet<string>,
): Picture {
  const { width, height, fps } = video;
  const still = caps('video/x-raw', { format, width, height, ...square });
  return {
    chain: [
      ...(slate.image === '' ? written(slate, still, installed) : painted(slate.image, isJpeg, still)),
      element('imagefreeze', { name: 'video-source', 'is-live': true }),
      caps('video/x-raw', { framerate: fraction(fps) }),
    ],
    source: 'slate',
  };
}

const written = ({ text }: WantedSlate, still: Caps, installed: ReadonlySet<string>): Chain => [
  element('videotestsrc', { 'num-buffers': 1, pattern: 'solid-color', 'foreground-color': ground }),
  still,
  ...textOverlay('card', text, installed),
];

const painted = (location: string, isJpeg: boolean, still: Caps): Chain => [
  element('filesrc', { name: 'card' }, { location }),
  element('decodebin'),
  element('videoconvert'),
  ...(isJpeg ? [...narrowed('bt601'), element('videoconvert')] : []),
  element('videoscale', { 'add-borders': true }),
  still,
];
