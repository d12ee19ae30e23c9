/** The test picture: bars with a running clock, a ball, or a flash that coincides with a beep. */
import { caps, type Chain, element } from '../graph.js';
import { clockOverlay } from '../overlays/text.js';
import type { WantedVideo } from '../wanted.js';
import { type Picture, rawCaps } from './picture.js';

/**
 * The bars' snow and their clock move.
 *
 * The ball goes round once a second by the clock of the machine, so that a viewer can read off how late the picture is.
 *
 * The flash: the ball's colours swap every 50 frames (`animation-mode=frames`; by running time they never swap in GStreamer
 * 1.22), so at 50 frames a second that is each whole second, whatever rate is then taken from it. `clocksync` instead of
 * `is-live`: a live source adds its own start-up time to its timestamps, and sound and picture start up differently.
 */
export function testPicture(video: WantedVideo, format: string, installed: ReadonlySet<string>): Picture {
  const pictures = rawCaps(video, format);
  const { width, height } = video;
  const name = 'video-source';
  const chains: Readonly<Record<WantedVideo['testPattern'], Chain>> = {
    bars: [element('videotestsrc', { name, 'is-live': true, pattern: 'smpte' }), pictures, ...clockOverlay(installed)],
    ball: [
      element('videotestsrc', {
        name,
        'is-live': true,
        pattern: 'ball',
        'animation-mode': 'wall-time',
        motion: 'sweep',
      }),
      pictures,
    ],
    sync: [
      element('videotestsrc', { name, pattern: 'ball', 'animation-mode': 'frames', flip: true }),
      caps('video/x-raw', { format, width, height, framerate: '50/1' }),
      element('videorate'),
      pictures,
      element('clocksync'),
    ],
  };
  return { chain: chains[video.testPattern], source: `test picture (${video.testPattern})` };
}
