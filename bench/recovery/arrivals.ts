/** What arrived and when, judged: how long no picture came, how far behind the stream is, how much of it comes. */
import { wallClock, type ArrivedTag } from '../../test/helpers/content/flv.js';
import { lasts } from '../../test/helpers/interval.js';
import { pictures, type Site } from './site.js';

/** A longer wait for the next picture is an interruption: nine pictures at 30 a second. */
const interruptedMs = 300;
/** Pictures that have come for so long on end will go on. */
const steadyMs = 2000;

/** A wait for the next picture. */
export interface Gap {
  /** Wall clock of the picture that ended it. */
  readonly to: number;
  readonly ms: number;
}

/** Every wait over what came from `from` on; what was there before is where the first wait began. */
export function gaps(came: readonly ArrivedTag[], from: number): Gap[] {
  const first = came.findIndex(({ at }) => at > from);
  if (first < 0) return [];
  return came.slice(first).map(({ at }, index) => ({ to: at, ms: at - (came[first + index - 1]?.at ?? from) }));
}

/**
 * Waits until pictures have come for 2 s on end, after `since` (wall clock). Gives the widest gap from `from` on; undefined where
 * they have not come within `patienceMs` of `since`.
 */
export async function steady(site: Site, from: number, since: number, patienceMs: number): Promise<Gap | undefined> {
  while (wallClock() - since < patienceMs) {
    await lasts(50, 'between two looks');
    const all = gaps(pictures(site), from);
    const last = all.at(-1);
    if (!last || wallClock() - last.to > interruptedMs) continue;
    const begun = Math.max(since, ...all.filter(({ ms }) => ms > interruptedMs).map(({ to }) => to));
    if (wallClock() - begun < steadyMs) continue;
    return all.reduce((widest, each) => (each.ms > widest.ms ? each : widest));
  }
  return undefined;
}

/** kbit/s of picture and sound in the last `ms` of the stream's own time; undefined where the session is not as old. */
export function kbps(session: readonly ArrivedTag[], ms: number): number | undefined {
  const media = session.filter(({ type }) => type !== 18);
  const end = media.at(-1)?.timestamp ?? 0;
  if (end < ms) return undefined;
  const recent = media.filter(({ timestamp }) => timestamp > end - ms);
  return (recent.reduce((sum, { body }) => sum + body.length, 0) * 8) / ms;
}
