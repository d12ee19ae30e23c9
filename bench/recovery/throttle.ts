/** A link that becomes too slow for the stream, and fast again: how far behind the server is, and when it has the whole stream back. */
import { until } from '../../test/helpers/feed.js';
import { isPicture, lags, wallClock } from '../../test/helpers/content/flv.js';
import { lasts } from '../../test/helpers/interval.js';
import type { Contender } from '../contenders.js';
import { gaps, kbps } from './arrivals.js';
import type { Figures } from './faults.js';
import { start, type Bench } from './running.js';
import { makeFar, type Far } from './site.js';

const throttledKbps = 800;
const throttledMs = 40_000;
/** So long a stream may take to become what the link carries. */
const settleMs = 10_000;
/** What has not come back by then has not come back. */
const patienceMs = 90_000;
/** The film's length: over so much of it the bitrate is that of the encoder, not of a scene. */
const filmMs = 6000;
const wholeShare = 0.9;
/** Farther behind than this it is not the stream of now that comes. */
const behindMs = 2000;

const newest = (far: Far) => far.bySession().at(-1)!;
const most = (values: readonly number[]): number | null => (values.length === 0 ? null : Math.max(...values));

export async function throttled(contender: Contender, bench: Bench): Promise<Figures> {
  await using far = await makeFar();
  await using running = await start(contender, far, bench, { film: true });
  const fullKbps = await until(() => kbps(newest(far), filmMs) || undefined, patienceMs, 'the whole stream');
  const sessions = far.sessions();
  await far.network.throttle(throttledKbps);
  const from = wallClock();
  await lasts(throttledMs, 'the link is slow');
  const to = wallClock();
  await far.network.throttle(undefined);
  let whole: number | null = null;
  while (whole === null && wallClock() - to < patienceMs) {
    await lasts(100, 'between two looks');
    const rate = kbps(newest(far), filmMs) ?? 0;
    if (rate >= wholeShare * fullKbps && lags(newest(far)).at(-1)!.ms <= behindMs) whole = wallClock() - to;
  }
  const late = far.bySession().flatMap(lags);
  const between = (begin: number, end: number): number[] =>
    late.filter(({ at }) => at > begin && at <= end).map(({ ms }) => ms);
  const waits = gaps(far.tags().filter(isPicture), from).filter(({ to: end }) => end <= to);
  return {
    noticed: running.noticedMs(from, ({ event }) => event === 'bitrate_lowered'),
    'most behind': most(between(from, to)),
    'most behind after 10 s': most(between(from + settleMs, to)),
    'behind at its end': between(from, to).at(-1) ?? null,
    lost: most(waits.map(({ ms }) => ms)),
    'highest queue': running.queuedMs(from),
    'whole stream again': whole,
    'session kept': far.sessions() === sessions ? 100 : 0,
  };
}
