/** The slate: a card that stands in for a picture that is away. One picture is drawn, and the same one sent for as long as it lasts. */
import { fraction } from '../fraction.js';
import type { ElementProperty } from '../graph.js';
import type { WantedSlate, WantedVideo } from '../wanted.js';
import { type Picture, rawCaps } from './picture.js';
import { narrowed } from './range.js';

/** Dark blue, ARGB: no flash in a dark room, and not the black of a broken stream. */
const ground = 0xff1c2733;

/** `textoverlay` reads Pango markup, whose signs a text may hold as letters. */
const escaped = (text: string): string => text.replace(/&/g, '&amp;').replace(/</g, '&lt;').replace(/>/g, '&gt;');

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
  const still = rawCaps(video, format).replace(/,framerate=[^,]*/, '');
  const begin = slate.image === '' ? written(slate, still, installed) : painted(slate.image, isJpeg, still);
  return {
    text: `${begin.text} ! imagefreeze name=video-source is-live=true ! video/x-raw,framerate=${fraction(video.fps)}`,
    properties: begin.properties,
    source: 'slate',
  };
}

interface Begin {
  readonly text: string;
  readonly properties: readonly ElementProperty[];
}

/** Without the package of `textoverlay` it is the ground alone. */
function written({ text }: WantedSlate, caps: string, installed: ReadonlySet<string>): Begin {
  const plain = `videotestsrc num-buffers=1 pattern=solid-color foreground-color=${ground} ! ${caps}`;
  if (text === '' || !installed.has('textoverlay')) return { text: plain, properties: [] };
  return {
    text: `${plain} ! textoverlay name=card font-desc="Sans Bold 28" valignment=center halignment=center`,
    properties: [{ element: 'card', property: 'text', value: escaped(text) }],
  };
}

function painted(image: string, isJpeg: boolean, caps: string): Begin {
  return {
    text: `filesrc name=card ! decodebin ! videoconvert ! ${isJpeg ? `${narrowed('bt601')} ! videoconvert ! ` : ''}videoscale add-borders=true ! ${caps}`,
    properties: [{ element: 'card', property: 'location', value: image }],
  };
}
