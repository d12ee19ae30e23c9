/** Whose pictures arrived when, told by their colour: those of the gadget's camera, or of the slate. */
import { writeFile } from 'node:fs/promises';
import { run } from '../helpers/command.js';
import { flvFile, isVideoKey, type ArrivedTag } from '../helpers/content/flv.js';

/** The slate's ground is a dark blue; the left half of what the gadget's camera sees is red. */
const leftQuarter = 'crop=iw/4:ih:iw/10:0,scale=1:1:flags=area,format=rgb24';

/** Each keyframe (a change of source is one): when it came, in ms of the wall clock, and whose it is. `file` is written. */
export async function keyframes(
  tags: readonly ArrivedTag[],
  file: string,
): Promise<{ readonly at: number; readonly isSlate: boolean }[]> {
  await writeFile(file, flvFile(tags));
  const { stdout } = await run('ffmpeg', [
    ...['-nostdin', '-v', 'error', '-skip_frame', 'nokey', '-i', file, '-an', '-fps_mode', 'passthrough'],
    ...['-vf', leftQuarter, '-f', 'rawvideo', '-'],
  ]);
  const keys = tags.filter(isVideoKey);
  if (stdout.length !== 3 * keys.length) throw new Error(`${stdout.length / 3} of ${keys.length} keyframes decode`);
  return keys.map(({ at }, index) => ({ at, isSlate: stdout[3 * index]! < 100 }));
}

/** Luma, Cb and Cr as most pixels of an area have them. */
export type Colour = readonly [luma: number, cb: number, cr: number];

/**
 * What a viewer has on the screen of the left and of the right half of each picture, the bar that moves left out, and where from 0 (top) to
 * 1 that bar is. `size`: of the stream. `keyOnly`: of keyframes, which show what was sent whatever was lost before them.
 */
export async function seen(
  file: string,
  { width, height }: { readonly width: number; readonly height: number },
  keyOnly = false,
): Promise<readonly { readonly left: Colour; readonly right: Colour; readonly bar: number }[]> {
  const skipped = keyOnly ? ['-skip_frame', 'nokey'] : [];
  const args = ['-nostdin', '-v', 'error', ...skipped, '-i', file, '-an', '-fps_mode', 'passthrough'];
  const { stdout } = await run('ffmpeg', [...args, '-pix_fmt', 'yuv420p', '-f', 'rawvideo', '-']);
  const length = (width * height * 3) / 2;
  return Array.from({ length: stdout.length / length }, (_, index) => {
    const picture = stdout.subarray(index * length, (index + 1) * length);
    const chroma = (plane: number): Buffer =>
      picture.subarray(width * height * (1 + plane / 4), width * height * (1 + (plane + 1) / 4));
    // A quarter of the width in the middle of each half: nothing of the edge between them.
    const half = (from: number): Colour => [
      middle(picture.subarray(0, width * height), width, from),
      middle(chroma(0), width / 2, from),
      middle(chroma(1), width / 2, from),
    ];
    const lines = Array.from({ length: height }, (_, y) => picture[y * width + width / 4]!);
    return { left: half(1 / 8), right: half(5 / 8), bar: lines.indexOf(Math.max(...lines)) / height };
  });
}

/** The median of a quarter of the plane's width, from a fraction of it on. */
function middle(plane: Buffer, width: number, from: number): number {
  const values: number[] = [];
  for (let line = 0; line < plane.length; line += width)
    values.push(...plane.subarray(line + from * width, line + (from + 0.25) * width));
  return values.sort((a, b) => a - b)[values.length >> 1]!;
}
