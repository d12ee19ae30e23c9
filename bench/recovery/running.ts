/** A contender on the air for one round: makercast as it is, the others in the restart loop that people put around them. */
import { spawn, type ChildProcess } from 'node:child_process';
import {
  startAgent,
  type Agent,
  type Environment,
  type LogLine,
  type StatusDocument,
} from '../../test/helpers/agent/agent.js';
import { ended, mortal } from '../../test/helpers/command.js';
import { until } from '../../test/helpers/feed.js';
import { wallClock } from '../../test/helpers/content/flv.js';
import { processTree } from '../../test/helpers/agent/processes.js';
import { commandOf, environment, ffmpegFile, type Command, type Contender } from '../contenders.js';
import { steady } from './arrivals.js';
import { streamName, type Site } from './site.js';

/** What all rounds share: a home, in which everything is found out already that is found out once; gst-launch's text; a noisy film. */
export interface Bench {
  readonly folder: string;
  readonly gst: string;
  /** 640x360 with film grain: 2500 kbit/s of it are 2500 kbit/s. */
  readonly film: string;
}

/** What it takes to be on the air steadily, however it started. */
const startMs = 60_000;
/** ffmpeg's, in microseconds: without it, it waits for ever for a server that is silent. */
const rwTimeout = 5_000_000;
const loopSleepSeconds = 2;

export interface Running extends AsyncDisposable {
  /** Its process whose command holds `text`. */
  find(text: string): Promise<number>;
  /** Milliseconds from `since` (wall clock) to the first line of its log that fulfils `test`; null where none does, undefined without a log. */
  noticedMs(since: number, test: (line: LogLine) => boolean): number | null | undefined;
  /** The most milliseconds of media that waited for the server since then, as its status documents say, one a second. */
  queuedMs(since: number): number | undefined;
}

/** The status document of a log line; undefined for other lines. */
export const statusOf = ({ event, status }: LogLine): StatusDocument | undefined =>
  event === 'status' ? (status as StatusDocument) : undefined;

class Makercast implements Running {
  constructor(private readonly agent: Agent) {}

  async find(text: string): Promise<number> {
    return (await this.agent.descendant(text)).pid;
  }

  #since(since: number): LogLine[] {
    // The log's clock is cut to milliseconds.
    return this.agent.log.items.filter(({ time }) => Date.parse(time) >= Math.floor(since));
  }

  noticedMs(since: number, test: (line: LogLine) => boolean): number | null {
    const line = this.#since(since).find(test);
    return line ? Math.max(0, Date.parse(line.time) - since) : null;
  }

  queuedMs(since: number): number {
    const queued = this.#since(since).map((line) => Number(statusOf(line)?.outputs['main']?.['queuedMs'] ?? 0));
    return Math.max(0, ...queued);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.agent.processes();
    await this.agent.stop();
    await this.agent[Symbol.asyncDispose]();
  }
}

class Loop implements Running {
  constructor(private readonly child: ChildProcess) {}

  find(text: string): Promise<number> {
    const find = () =>
      processTree(this.child.pid!).find(({ command }) => command.includes(text) && !command.startsWith('sh -c'))?.pid;
    return until(find, 10_000, text);
  }

  noticedMs(): undefined {
    return undefined;
  }

  queuedMs(): undefined {
    return undefined;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const gone = ended(this.child);
    const tree = processTree(this.child.pid!);
    for (const { pid } of tree) kill(pid, 'SIGKILL');
    await gone;
  }
}

export function kill(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal);
  } catch {
    // Gone already.
  }
}

function loop({ command, args, env }: Command, site: Site, bench: Bench): Loop {
  const once = [command, ...args].map((word) => `'${word.replaceAll("'", "'\\''")}'`).join(' ');
  const patient = once.replace("'-f' 'flv'", `'-rw_timeout' '${rwTimeout}' '-f' 'flv'`);
  const words = [...site.prefix, 'sh', '-c', `while true; do ${patient}; sleep ${loopSleepSeconds}; done`];
  const child = spawn(...mortal(words[0]!, words.slice(1)), { env, cwd: bench.folder, stdio: 'ignore' });
  return new Loop(child);
}

const filmSettings = (film: string): Environment => ({
  VIDEO_SOURCE: 'file',
  VIDEO_FILES: film,
  VIDEO_WIDTH: '640',
  VIDEO_HEIGHT: '360',
  AUDIO_SOURCE: 'auto',
});

/** What makercast is started with, other than the other benchmarks do. */
export interface Other {
  /** The noisy film in place of the ball. Not for gst-launch, which plays it once. */
  readonly film?: boolean;
  /** The film as it comes, whose keyframes nobody can ask for: what an encoder that is deaf to that is to those who join. */
  readonly passes?: boolean;
  /** Settings are read from `makercast.yml` here; those of {@link environment} that the file shall give are left out. */
  readonly cwd?: string;
  readonly without?: readonly string[];
}

/** Starts `contender`, and waits until its pictures come steadily. */
export async function start(contender: Contender, site: Site, bench: Bench, other: Other = {}): Promise<Running> {
  const begun = wallClock();
  const running = await launch(contender, site, bench, other);
  if (await steady(site, begun, begun, startMs)) return running;
  await running[Symbol.asyncDispose]();
  throw new Error(`${contender}: no steady pictures within ${startMs / 1000} s`);
}

async function launch(contender: Contender, site: Site, bench: Bench, other: Other): Promise<Running> {
  if (contender === 'makercast') {
    const env = {
      ...environment(bench.folder, site.url, streamName),
      ...((other.film ?? other.passes) && filmSettings(bench.film)),
      ...(other.passes && { VIDEO_ENCODER: 'passthrough' }),
    };
    const kept = Object.entries(env).filter(([name]) => !other.without?.includes(name));
    const options = { prefix: site.prefix, cwd: other.cwd ?? bench.folder };
    return new Makercast(await startAgent(Object.fromEntries(kept), options));
  }
  if (!other.film) return loop(commandOf(contender, site.url, streamName, bench.folder, bench.gst), site, bench);
  return loop(ffmpegFile(bench.film, `${site.url}/${streamName}`), site, bench);
}
