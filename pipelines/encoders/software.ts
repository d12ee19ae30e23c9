/** What a board can encode in software. */
import type { Machine } from '../machine.js';
import type { EncoderSettings } from './encoder.js';

type Soc = NonNullable<Machine['board']['soc']>;

/**
 * Pictures that x264 `ultrafast` keeps up with: 640x480 at 30 on a Pi 3 is what its users report; a Zero W has one core of less
 * than a quarter of the speed, without NEON, which leaves about 320x240 at 15. From the Pi 4 on, 720p is no matter.
 */
const budgets: Partial<Readonly<Record<Soc, { readonly words: string; readonly pixelRate: number }>>> = {
  bcm2835: { words: '320x240 at 15 fps', pixelRate: 320 * 240 * 15 },
  bcm2836: { words: '640x480 at 25 fps', pixelRate: 640 * 480 * 25 },
  bcm2837: { words: '640x480 at 30 fps', pixelRate: 640 * 480 * 30 },
};

/** One sentence where the board is too slow for such pictures. */
export function softwareDoubt(
  element: string,
  { width, height, fps }: EncoderSettings,
  { board }: Machine,
): string | undefined {
  const budget = board.soc && budgets[board.soc];
  if (!budget || width * height * fps <= budget.pixelRate) return undefined;
  return (
    `${element} encodes in software, and this board manages about ${budget.words}: expect dropped pictures. ` +
    'Use the hardware encoder (`makercast probe` says what it lacks), a camera that encodes H.264 itself, or a smaller video.width and video.height.'
  );
}
