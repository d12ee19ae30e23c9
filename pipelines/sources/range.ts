/** The range of brightness: JPEG and some films have black at 0 and white at 255, and what goes on the air has them at 16 and 235. */
import { caps, type Chain, element } from '../graph.js';
import type { Matrix } from '../machine.js';
import { coloursOf } from './sps.js';

/**
 * Narrows a picture of the full range, and says so. `videoconvert` (1.22 and 1.26) changes only the label where the matrix stays the
 * same, and every black would be crushed, every white clipped. 219/255 of luma, 224/255 of chroma, 16 at the bottom:
 * `videobalance` has `16 + (y - 16) * contrast + brightness * 255`.
 */
export const narrowed = (matrix: Matrix): Chain => [
  element('videobalance', { contrast: 0.85882, brightness: 0.053887, saturation: 0.87843 }),
  element('capssetter', { caps: caps('video/x-raw', { colorimetry: matrix }) }),
];

/** ITU-T H.273, table 4. */
const bt601: readonly number[] = [5, 6];
const bt709 = 1;
/** What players take for granted where nothing is said: BT.709 from so many lines on. */
const hdLines = 720;

/** The matrix of an H.264 stream of the full range; undefined where it is narrow. `avcc`: its decoder configuration record. */
export function fullRangeOf(avcc: string, lines: number): Matrix | undefined {
  const colours = coloursOf(avcc);
  if (!colours?.fullRange) return undefined;
  const { matrix = 0 } = colours;
  if (bt601.includes(matrix)) return 'bt601';
  return matrix === bt709 || lines >= hdLines ? 'bt709' : 'bt601';
}
