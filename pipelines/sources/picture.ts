/** What every source of pictures hands to the composition, and the way of raw pictures to an encoder. */
import { fraction } from '../fraction.js';
import { caps, type Caps, type Chain, type ElementProperty, type Fields } from '../graph.js';
import type { Plan } from '../plan.js';
import type { Format } from '../wanted.js';

export interface Picture {
  /** From the source on, open at its end. */
  readonly chain: Chain;
  /** Chains that stand before it, whole ones. */
  readonly before?: readonly Chain[];
  /** For people: `camera HD Pro Webcam C920 (/dev/video0)`. */
  readonly source: string;
  /** What of the source changes while it runs, with the value that it has now; absent where nothing does. */
  readonly adjustable?: readonly ElementProperty[];
  /** What asks the source for a keyframe, where it encodes and can be asked. */
  readonly keyframe?: ElementProperty;
  /** What the source's encoder is told by its extension unit; absent where it has none. */
  readonly encoderUnit?: Plan['encoderUnit'];
  /** A number that grows with each picture of the source, where what goes on the air repeats the last one for as long as none comes. */
  readonly pulse?: Plan['pulse'];
  /** The pictures lie in memory that the encoder can read: it is to take them from there. */
  readonly sharedMemory?: boolean;
  /** H.264 level, where the source encodes and was told one. */
  readonly level?: string;
}

/** Pixels that are as wide as they are high. */
export const square: Fields = { 'pixel-aspect-ratio': '1/1' };

/** Raw pictures of exactly the broadcast's size and rate. */
export const rawCaps = ({ width, height, fps }: Format, format: string, more: Fields = {}): Caps =>
  caps('video/x-raw', { format, width, height, framerate: fraction(fps), ...square, ...more });
