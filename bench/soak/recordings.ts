/** Whether what was recorded is all there and plays. */
import { readdir } from 'node:fs/promises';
import path from 'node:path';
import { analyse } from '../../test/helpers/content/stream.js';

export interface Recorded {
  readonly files: number;
  /** Of all files together: from the first picture to the end of the last one. */
  readonly seconds: number;
  readonly pictures: number;
  readonly wrong: readonly string[];
}

/** Reads and decodes every recording in `folder`. */
export async function recorded(folder: string): Promise<Recorded> {
  const names = (await readdir(folder)).sort();
  const wrong: string[] = [];
  let [seconds, pictures] = [0, 0];
  for (const name of names) {
    const { video, audio, decodeErrors } = await analyse(path.join(folder, name));
    if (decodeErrors.length > 0)
      wrong.push(`${name}: ${decodeErrors.length} complaints, the first: ${decodeErrors[0]}`);
    if (!video || !audio) {
      wrong.push(`${name} has no ${video ? 'sound' : 'picture'}`);
      continue;
    }
    if (!video.startsWithKeyframe) wrong.push(`${name} does not begin with a keyframe`);
    if (!video.monotonic || !audio.monotonic) wrong.push(`${name}: times stand still or step back`);
    // The last picture lasts too.
    seconds += video.seconds + 1 / video.nominalFps;
    pictures += video.packets;
  }
  if (names.length === 0) wrong.push('nothing was recorded');
  return { files: names.length, seconds, pictures, wrong };
}
