/**
 * Picture latency from a ball that keeps wall time: it goes round once a second (`videotestsrc pattern=ball
 * animation-mode=wall-time motion=sweep`), so where it stands in a picture says when that picture was made, to a few
 * milliseconds, and when the picture arrived at the subscriber is known. No decoder is in the way: decoding comes afterwards.
 */
import { writeFile } from 'node:fs/promises';
import path from 'node:path';
import { run, temporaryFolder } from '../test/helpers/command.js';
import { flvFile, isPicture, isVideoHeader, type ArrivedTag } from '../test/helpers/content/flv.js';

const width = 160;
const height = 90;
/** Brightness by which a pixel must differ from the ground to be of the ball. */
const ballStep = 60;
/** If half of the pictures disagree by more than this about the latency, then the ball does not keep wall time. */
const plausibleSpreadMs = 100;

/** Fraction of a second at which the picture was made: 0 at the top, a quarter at the right; undefined without a ball. */
function ballTime(picture: Buffer): number | undefined {
  const ground = picture[0]!;
  let [x, y, weight] = [0, 0, 0];
  picture.forEach((luma, index) => {
    const difference = Math.abs(luma - ground);
    if (difference < ballStep) return;
    x += difference * (index % width);
    y += difference * Math.floor(index / width);
    weight += difference;
  });
  if (weight === 0) return undefined;
  const angle = Math.atan2(x / weight - (width - 1) / 2, (height - 1) / 2 - y / weight);
  return (angle / (2 * Math.PI) + 1) % 1;
}

const quantile = (sorted: readonly number[], part: number): number => sorted[Math.floor((sorted.length - 1) * part)]!;

export interface Latency {
  /** Median milliseconds from the making of a picture to its arrival (below 1 s); undefined when the ball does not keep wall time. */
  readonly ms: number | undefined;
  /** Pictures that came but could not be decoded: what they refer to did not come. */
  readonly undecoded: number;
  /** Pictures whose decode time is not later than the last one's. */
  readonly repeated: number;
}

/** Judges all pictures of a stream, from its beginning. */
export async function pictureLatency(tags: readonly ArrivedTag[]): Promise<Latency> {
  const pictures = tags.filter(isPicture);
  const { folder, remove } = await temporaryFolder();
  try {
    const file = path.join(folder, 'stream.flv');
    await writeFile(file, flvFile(tags.filter((tag) => isPicture(tag) || isVideoHeader(tag))));
    const scale = `scale=${width}:${height}:flags=area,format=gray`;
    const { stdout, stderr } = await run('ffmpeg', [
      ...['-nostdin', '-nostats', '-v', 'info', '-copyts', '-i', file, '-fps_mode', 'passthrough'],
      ...['-vf', `${scale},showinfo`, '-f', 'rawvideo', '-'],
    ]);
    const arrivals = new Map(pictures.map(({ timestamp, at }) => [timestamp, at]));
    const times = [...stderr.matchAll(/\] n: *\d+ pts: *\S+ pts_time:(\S+)/g)].map((match) =>
      Math.round(1000 * Number(match[1])),
    );
    const latencies = times.flatMap((time, index) => {
      const made = ballTime(stdout.subarray(index * width * height, (index + 1) * width * height));
      const at = arrivals.get(time);
      return made === undefined || at === undefined ? [] : [(1000 * (((at / 1000) % 1) - made + 1)) % 1000];
    });
    const undecoded = pictures.length - times.length;
    const repeated = pictures.filter(
      ({ timestamp }, index) => timestamp <= (pictures[index - 1]?.timestamp ?? -1),
    ).length;
    const sorted = latencies.toSorted((a, b) => a - b);
    if (sorted.length === 0 || quantile(sorted, 0.75) - quantile(sorted, 0.25) > plausibleSpreadMs)
      return { ms: undefined, undecoded, repeated };
    return { ms: quantile(sorted, 0.5), undecoded, repeated };
  } finally {
    await remove();
  }
}
