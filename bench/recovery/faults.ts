/** The faults: how each is made, on whom, what is measured, and what makercast has promised. */
import type { LogLine } from '../../test/helpers/agent/agent.js';
import { wallClock } from '../../test/helpers/content/flv.js';
import { lasts } from '../../test/helpers/interval.js';
import { contenders, type Contender } from '../contenders.js';
import { cameraLost } from './camera.js';
import { steady } from './arrivals.js';
import { kill, start, statusOf, type Bench, type Other, type Running } from './running.js';
import { makeFar, makeNear, type Far, type Site } from './site.js';
import { throttled } from './throttle.js';

/** What one round has shown, in the order of the table: milliseconds, or percent. What never came is null, what nobody tells undefined. */
export type Figures = Readonly<Record<string, number | null | undefined>>;

/** The most that is allowed, in the measure's own unit; `least` where less is worse. */
export interface Goal {
  readonly median?: number;
  readonly worst?: number;
  readonly least?: number;
}

export interface FaultKind {
  readonly name: string;
  /** It has a number of rounds of its own, since each takes a minute. */
  readonly long?: true;
  readonly goals: Readonly<Record<string, Goal>>;
  /** On whom it is made. */
  readonly on: readonly Contender[];
  /** Rounds of the others at the most: what nobody watches hangs for ever, and has after two tries. */
  readonly otherRounds?: number;
  readonly round: (contender: Contender, bench: Bench) => Promise<Figures>;
}

/** What has not come back by then has not come back. */
const patienceMs = 30_000;
const linkDownMs = 5000;
const blackHoleMs = 12_000;

/** Faults come at any moment between two status documents. */
const anyMoment = (): Promise<void> => lasts(1000 * Math.random(), 'until any moment');

/** Percent of its sessions that a fault has left alone. */
const kept = (site: Site, sessions: number): number => (site.sessions() === sessions ? 100 : 0);

/** All figures of a fault that began at `from`, once pictures have come steadily after `over`, when what could be mended was. */
async function figures(
  site: Site,
  running: Running,
  from: number,
  over: number,
  news: (line: LogLine) => boolean,
): Promise<Figures> {
  const gap = await steady(site, from, over, patienceMs);
  return {
    noticed: running.noticedMs(from, news),
    'media again': gap ? Math.max(0, gap.to - over) : null,
    lost: gap ? gap.ms : null,
    'highest queue': running.queuedMs(from),
  };
}

/** The server is away for one to four seconds; media again counts from the moment that it listens. */
const serverRestarted =
  (other: Other) =>
  async (contender: Contender, bench: Bench): Promise<Figures> => {
    await using near = await makeNear();
    await using running = await start(contender, near, bench, other);
    await anyMoment();
    const from = wallClock();
    await near.nginx.kill();
    await lasts(1000 + 3000 * Math.random(), 'the server is away');
    await near.nginx.restart();
    const listens = wallClock();
    await near.watch();
    // Awaited here: what this block uses ends with it.
    return await figures(near, running, from, listens, ({ event }) => event === 'output_failed');
  };

/** The process whose command holds the name of `whose` gets a signal. */
function struck(whose: Readonly<Partial<Record<Contender, string>>>, signal: NodeJS.Signals) {
  return async (contender: Contender, bench: Bench): Promise<Figures> => {
    await using near = await makeNear();
    await using running = await start(contender, near, bench);
    const pid = await running.find(whose[contender]!);
    await anyMoment();
    const sessions = near.sessions();
    const from = wallClock();
    kill(pid, signal);
    const found = ({ event }: LogLine): boolean => event === 'child_died' || event === 'child_hung';
    const seen = await figures(near, running, from, from, found);
    // One that nobody has replaced must not outlive the round.
    if (seen['media again'] === null) kill(pid, 'SIGKILL');
    return { ...seen, 'session kept': kept(near, sessions) };
  };
}

/** The way to the server is closed for `ms`; media again counts from its end. */
function away(ms: number, close: (far: Far) => Promise<void>, open: (far: Far) => Promise<void>, news: typeof givenUp) {
  return async (contender: Contender, bench: Bench): Promise<Figures> => {
    await using far = await makeFar();
    await using running = await start(contender, far, bench);
    await anyMoment();
    const from = wallClock();
    await close(far);
    await lasts(ms, 'the way is closed');
    await open(far);
    return await figures(far, running, from, wallClock(), news);
  };
}

/** A new connection is made. */
const givenUp = ({ event }: LogLine): boolean => event === 'output_failed';
const stalled = (line: LogLine): boolean =>
  givenUp(line) || (statusOf(line) !== undefined && statusOf(line)!.outputs['main']?.state !== 'live');

const encoders = { makercast: 'makercast-capture', 'gst-launch': 'gst-launch', ffmpeg: 'ffmpeg' } as const;
const deliverer = { makercast: 'makercast-delivery' } as const;
const pictureKept: FaultKind['goals'] = { 'media again': { worst: 3000 }, 'session kept': { least: 100 } };

export const faults: readonly FaultKind[] = [
  {
    name: 'server killed, listens again after 1 to 4 s',
    goals: { 'media again': { median: 1000, worst: 2000 } },
    on: contenders,
    round: serverRestarted({}),
  },
  {
    name: 'the same, while no keyframe can be asked for',
    goals: { 'media again': { median: 1000, worst: 2000 } },
    on: ['makercast'],
    round: serverRestarted({ passes: true }),
  },
  {
    name: 'encoding process killed',
    goals: pictureKept,
    on: contenders,
    round: struck(encoders, 'SIGKILL'),
  },
  {
    name: 'encoding process hangs (SIGSTOP)',
    goals: pictureKept,
    on: contenders,
    otherRounds: 2,
    round: struck(encoders, 'SIGSTOP'),
  },
  {
    name: 'delivering process killed',
    goals: { 'media again': { worst: 2000 } },
    on: ['makercast'],
    round: struck(deliverer, 'SIGKILL'),
  },
  { name: 'delivering process hangs (SIGSTOP)', goals: {}, on: ['makercast'], round: struck(deliverer, 'SIGSTOP') },
  {
    name: 'camera lost, and back after 3 s',
    goals: {
      'slate on the air': { worst: 1500 },
      'picture on the air again': { worst: 2000 },
      'session kept': { least: 100 },
    },
    on: ['makercast'],
    round: cameraLost,
  },
  {
    name: `link down for ${linkDownMs / 1000} s`,
    goals: { 'media again': { worst: 5000 } },
    on: contenders,
    round: away(
      linkDownMs,
      (far) => far.network.cut(),
      (far) => far.network.restore(),
      stalled,
    ),
  },
  {
    name: `black hole for ${blackHoleMs / 1000} s`,
    long: true,
    goals: { noticed: { worst: 8000 } },
    on: contenders,
    round: away(
      blackHoleMs,
      (far) => far.network.blackHole(),
      (far) => far.network.heal(),
      givenUp,
    ),
  },
  {
    name: '800 kbit/s for a stream of 2.5 Mbit/s, for 40 s',
    long: true,
    goals: { 'most behind after 10 s': { worst: 2000 }, 'whole stream again': { worst: 40_000 } },
    on: ['makercast', 'ffmpeg'],
    round: throttled,
  },
];
