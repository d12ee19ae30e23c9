/** How a webcam's JPEGs are decoded, and how many of them a board can decode in software. */
import type { Choice } from '../choose/format.js';
import type { Board, Machine } from '../machine.js';
import type { Format } from '../wanted.js';

/**
 * Pixels a second that `jpegdec` (libjpeg-turbo) decodes on one core. An ARM1176 has nothing to help it, and makes 5 to 9 pictures of 720p
 * a second: 640x480 at 15 is what it surely makes. The Pi 3's Cortex-A53 makes 30 of 720p, a Cortex-A7 half of that. From the Pi 4
 * on, 1080p is no matter.
 */
const budgets: Partial<Readonly<Record<NonNullable<Board['soc']>, Format>>> = {
  bcm2835: { width: 640, height: 480, fps: 15 },
  bcm2836: { width: 1280, height: 720, fps: 15 },
  bcm2837: { width: 1280, height: 720, fps: 30 },
};

type Rate = Pick<Format, 'fps'>;

const rate = ({ width, height, fps }: Format): number => width * height * fps;

/** The most that the board decodes in software; undefined where that is no matter. */
const jpegBudget = ({ soc }: Board): Format | undefined => soc && budgets[soc];

/** Whether the board is too slow to decode such JPEGs in software. */
export function isTooMuch(format: Format, board: Board): boolean {
  const budget = jpegBudget(board);
  return budget !== undefined && rate(format) > rate(budget);
}

/** What has to be decoded of a camera's format for a broadcast at so many frames a second. */
const decoded = ({ width, height, fps }: Format, wanted: Rate): Format => ({
  ...{ width, height },
  fps: Math.min(fps, wanted.fps),
});

/** The chip decodes what the processor cannot: the processor's way is the one that is known to be right. */
export function jpegDecoder(
  format: Format,
  wanted: Rate,
  { board, jpegDecoder: chip }: Machine,
): { element: string; fullRange: boolean } {
  if (chip && isTooMuch(decoded(format, wanted), board)) return { element: 'v4l2jpegdec', fullRange: chip.fullRange };
  return { element: 'jpegdec', fullRange: true };
}

/** One sentence where pictures will be missing. */
export function jpegDoubt(format: Choice, wanted: Rate, machine: Machine): string | undefined {
  const budget = jpegBudget(machine.board);
  if (format.kind !== 'jpeg' || !budget || !isTooMuch(decoded(format, wanted), machine.board)) return undefined;
  if (jpegDecoder(format, wanted, machine).element !== 'jpegdec') return undefined;
  return (
    `The camera delivers ${format.width}x${format.height} as JPEG, and this board decodes about ${budget.width}x${budget.height} at ${budget.fps} fps: ` +
    'expect dropped pictures. Set a smaller video.width and video.height, or a lower video.fps.'
  );
}
