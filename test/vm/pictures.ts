/** Whose pictures arrived when, told by their colour: those of the gadget's camera, or of the slate. */
import { writeFile } from 'node:fs/promises';
import { run } from '../helpers/command.js';
import { flvFile, isVideoKey, type ArrivedTag } from '../helpers/flv.js';

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
