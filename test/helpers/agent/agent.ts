/** Runs makercast as a user would, with a clean environment, and sees what it says, what it starts and what it leaves behind. */
import { spawn, type ChildProcess } from 'node:child_process';
import { existsSync } from 'node:fs';
import { copyFile, mkdir, rename } from 'node:fs/promises';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { ended, mortal, run as runCommand, temporaryFolder, type CommandResult } from '../command.js';
import { Feed, until, within } from '../feed.js';
import { lasts } from '../interval.js';
import { root } from '../root.js';
import { allProcesses, environmentOf, processInfo, processTree, type ProcessInfo } from './processes.js';

/** The compiled program that stands beside the compiled test: <dir>/agent/main.js for <dir>/test/helpers/agent.js. */
export const mainFile = fileURLToPath(new URL('../../../agent/main.js', import.meta.url));

export type Environment = Readonly<Record<string, string>>;

/** Picture and sound of a kind that any machine makes with ease. */
export const small: Environment = {
  VIDEO_SOURCE: 'test',
  AUDIO_SOURCE: 'test',
  VIDEO_WIDTH: '320',
  VIDEO_HEIGHT: '180',
  VIDEO_BITRATE_KBPS: '800',
};

/** One line of the JSON log; a line that is no JSON has only `message` (and level `raw`). */
export interface LogLine {
  readonly time: string;
  readonly level: string;
  readonly event: string;
  readonly message: string;
  readonly [field: string]: unknown;
}

/** What the tests ask of the status document; more is in it. */
export interface StatusDocument {
  readonly wanted: string;
  readonly actual: string;
  readonly problems: readonly { readonly code: string; readonly what: string; readonly remedy: string }[];
  readonly outputs: Readonly<Record<string, { readonly state: string; readonly [field: string]: unknown }>>;
  readonly video?: {
    readonly source: string;
    readonly encoder: string;
    readonly width: number;
    readonly height: number;
    readonly fps: number;
    readonly bitrateKbps?: number;
  };
  readonly [field: string]: unknown;
}

export interface Ending {
  /** null when a signal ended it. */
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  /** Milliseconds from the request to the end. */
  readonly tookMs: number;
}

export interface AgentOptions {
  /** Words after `makercast`. */
  readonly args?: readonly string[];
  /** Words before the command, such as a namespace's prefix. */
  readonly prefix?: readonly string[];
  /** Working folder, where makercast.yml is looked for; a temporary one of its own if not given. */
  readonly cwd?: string;
  /** Kept after the end when given; else a temporary one that goes. */
  readonly dataFolder?: string;
}

/**
 * HOME of all that tests start, and what makes them start as on a machine that they know. GStreamer keeps its registry there, and scans
 * some of its plugins anew wherever HOME is another, three times a start; beside it is what makercast remembers of encoders that work.
 */
const shared = path.join(root, '.cache', 'home');
const encoders = path.join(shared, 'encoders.json');

const environment = (folder: string, env: Environment): NodeJS.ProcessEnv => ({
  PATH: process.env['PATH'],
  HOME: shared,
  // Node.js 22 and newer: what it has compiled of our modules.
  NODE_COMPILE_CACHE: path.join(shared, 'compiled'),
  MAKERCAST_DATA: path.join(folder, 'data'),
  ...env,
});

/** Where it works and keeps its data: that of a device that has started before. */
async function home(): Promise<{ folder: string; remove: () => Promise<void> }> {
  await mkdir(shared, { recursive: true });
  const temporary = await temporaryFolder();
  const data = path.join(temporary.folder, 'data');
  await mkdir(data, { mode: 0o700 });
  const mine = path.join(data, 'encoders.json');
  const isKnown = await copyFile(encoders, mine).then(
    () => true,
    () => false,
  );
  return {
    folder: temporary.folder,
    async remove() {
      // In one step, since others may be reading it.
      if (!isKnown && existsSync(mine))
        await copyFile(mine, `${encoders}.${process.pid}`).then(() => rename(`${encoders}.${process.pid}`, encoders));
      await temporary.remove();
    },
  };
}

function parse(line: string): LogLine {
  try {
    const value = JSON.parse(line) as unknown;
    if (value && typeof value === 'object') return value as LogLine;
  } catch {
    // Not JSON: shown as it is.
  }
  return { time: '', level: 'raw', event: '', message: line };
}

export class Agent implements AsyncDisposable {
  /** Lines of stdout, parsed where they are JSON. */
  readonly log = new Feed<LogLine>('log of makercast');
  /** All that came on stdout and stderr, as text. */
  output = '';
  stderr = '';
  readonly #ended: Promise<{ code: number | null; signal: NodeJS.Signals | null }>;
  readonly #seen = new Map<string, ProcessInfo>();

  constructor(
    readonly child: ChildProcess,
    /** Where it works, and parent of the data folder. */
    readonly folder: string,
    private readonly remove: () => Promise<void>,
  ) {
    this.#ended = ended(child);
    let rest = '';
    child.stdout!.setEncoding('utf8').on('data', (text: string) => {
      this.output += text;
      const lines = (rest + text).split('\n');
      rest = lines.pop()!;
      for (const line of lines) this.log.push(parse(line));
    });
    child.stderr!.setEncoding('utf8').on('data', (text: string) => {
      this.output += text;
      this.stderr += text;
    });
  }

  get pid(): number {
    return this.child.pid!;
  }

  /** The first log line, from number `from` on, that fulfils `test`; fails at once when makercast ends first. */
  async waitFor(test: (line: LogLine) => boolean, deadlineMs = 20_000, from = 0): Promise<LogLine> {
    const gone = this.#ended.then(({ code, signal }) => {
      const late = this.log.items.slice(from).find(test);
      if (late) return late;
      throw new Error(`makercast ended with ${code ?? signal}:\n${this.output.slice(-3000)}`);
    });
    return Promise.race([this.log.waitFor(test, deadlineMs, from), gone]);
  }

  async event(event: string, deadlineMs = 20_000, from = 0): Promise<LogLine> {
    return this.waitFor((line) => line.event === event, deadlineMs, from);
  }

  /** The first status document, from log line number `from` on, that fulfils `test` (LOG_STATUS_SECONDS=1 is set). */
  async status(
    test: (status: StatusDocument) => boolean = () => true,
    deadlineMs = 20_000,
    from = 0,
  ): Promise<StatusDocument> {
    const line = await this.waitFor(
      (item) => item.event === 'status' && test(item['status'] as StatusDocument),
      deadlineMs,
      from,
    );
    return line['status'] as StatusDocument;
  }

  /** Itself and its descendants now. Each one that was ever seen here is also looked for at the end. */
  processes(): ProcessInfo[] {
    // It is the leader of a session of its own, so even what lost its parent is still found.
    const tree = processTree(this.pid);
    const session = allProcesses().filter(
      (item) => item.session === this.pid && !tree.some(({ pid }) => pid === item.pid),
    );
    const found = [...tree, ...session].filter((item) => item.state !== 'Z');
    for (const item of found) this.#seen.set(`${item.pid}/${item.started}`, item);
    return found;
  }

  /** Lets so many milliseconds pass, as {@link lasts} does, at whose end it still says its status. */
  async lasts(ms: number, why: string): Promise<void> {
    await lasts(ms, why);
    await this.status(() => true, 30_000, this.log.items.length);
  }

  /** The descendant whose arguments or title hold `text`, such as `capture`; waits until it is there. */
  async descendant(text: string, deadlineMs = 15_000): Promise<ProcessInfo> {
    return until(
      () => this.processes().find((item) => item.pid !== this.pid && item.command.includes(text)),
      deadlineMs,
      `process ${text}`,
    );
  }

  /** Environment of each process of it, by pid: what a secret must not be found in. */
  environments(): Map<number, Readonly<Record<string, string>>> {
    return new Map(this.processes().map(({ pid }) => [pid, environmentOf(pid)]));
  }

  /** Processes of it that are still there. */
  leftovers(): ProcessInfo[] {
    this.processes();
    return [...this.#seen.values()].filter((item) => {
      const now = processInfo(item.pid);
      return now !== undefined && now.started === item.started && now.state !== 'Z';
    });
  }

  /** Waits until no process of it is left; says which are, if some stay. */
  async gone(deadlineMs = 5000): Promise<void> {
    await until(() => this.leftovers().length === 0, deadlineMs, 'the end of all processes').catch((error: Error) => {
      throw new Error(
        `${error.message}; left: ${this.leftovers()
          .map((item) => `${item.pid} ${item.command}`)
          .join(', ')}`,
      );
    });
  }

  /** Resolves when makercast ends by itself (or was told to before). */
  async end(deadlineMs = 20_000): Promise<Ending> {
    const start = performance.now();
    return { ...(await within(this.#ended, deadlineMs, 'end of makercast')), tookMs: performance.now() - start };
  }

  /** Sends a signal and waits for the end. */
  async stop(signal: NodeJS.Signals = 'SIGTERM', deadlineMs = 20_000): Promise<Ending> {
    this.processes();
    this.child.kill(signal);
    return this.end(deadlineMs);
  }

  /** Kills whatever is left, hard, and removes its folder. */
  async [Symbol.asyncDispose](): Promise<void> {
    for (const { pid } of this.leftovers()) {
      try {
        process.kill(pid, 'SIGKILL');
      } catch {
        // Gone in the meantime.
      }
    }
    await this.#ended;
    await this.remove();
  }
}

/**
 * Starts makercast with PATH, HOME and MAKERCAST_DATA (temporary), JSON log with a status line each second, and `env`;
 * nothing else is passed on. The caller disposes of it (`await using`), which kills what is left of it.
 */
export async function startAgent(env: Environment, options: AgentOptions = {}): Promise<Agent> {
  const { folder, remove } = await home();
  const words = [...(options.prefix ?? []), process.execPath, mainFile, ...(options.args ?? [])];
  const child = spawn(...mortal(words[0]!, words.slice(1)), {
    cwd: options.cwd ?? folder,
    env: {
      ...environment(folder, { LOG_FORMAT: 'json', LOG_STATUS_SECONDS: '1', ...env }),
      ...(options.dataFolder && { MAKERCAST_DATA: options.dataFolder }),
    },
    stdio: ['ignore', 'pipe', 'pipe'],
    detached: true, // A session of its own, by which its descendants are known.
  });
  return new Agent(child, folder, remove);
}

/** Runs makercast to its end, for `check`, `plan`, `probe` and wrong usage. The exit code may be anything. */
export async function runAgent(
  args: readonly string[],
  env: Environment = {},
  options: { input?: string; cwd?: string; deadlineMs?: number; prefix?: readonly string[] } = {},
): Promise<Omit<CommandResult, 'stdout'> & { stdout: string }> {
  const { folder, remove } = await home();
  const words = [...(options.prefix ?? []), process.execPath, mainFile, ...args];
  try {
    const result = await runCommand(words[0]!, words.slice(1), {
      cwd: options.cwd ?? folder,
      env: environment(folder, env),
      mayFail: true,
      ...(options.input !== undefined && { input: options.input }),
      ...(options.deadlineMs !== undefined && { deadlineMs: options.deadlineMs }),
    });
    return { ...result, stdout: result.stdout.toString() };
  } finally {
    await remove();
  }
}
