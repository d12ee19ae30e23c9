/** One child process of the agent, killable alone: started, listened to, stopped within a deadline, and never left behind. */
import { spawn, type ChildProcess } from 'node:child_process';
import { existsSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { systemClock } from '../clock.js';
import { Fault } from '../errors.js';
import { openFiles } from './descriptors.js';
import { heldBytes, type MemoryLimits } from './memory.js';
import type { Sync, Synced } from './messages.js';
import { beatCheckMs, Silence, type ProcessReading } from './silence.js';
import { readProcess } from './threads.js';
import { Watchdog, type Pace } from './watchdog.js';

/** SIGTERM, and after this SIGKILL. */
const killMs = 3000;
/**
 * What SIGKILL has not ended by then waits in the kernel, for a driver or a card that hangs, and cannot be ended: it is left behind,
 * with what it holds open. It dies by itself once the kernel lets it go.
 */
const clingMs = 1000;

/** How often its memory and open files are checked. */
const memoryMs = 30_000;

/**
 * Threads of libuv's pool: a pipeline's bus and a pull each hold one while they wait. 8 outputs, two pipelines in capture as
 * one takes the place of another, and 4 for Node.
 */
const threads = 16;

const childVariables = {
  UV_THREADPOOL_SIZE: String(threads),
  // glibc gives each of these threads a heap of its own by default, and none of them ever shrinks.
  MALLOC_ARENA_MAX: '2',
  // A TLS session that is taken up again is not verified again (glib-networking 2.74): one that was made with verification
  // switched off would then pass where it is switched on.
  G_TLS_GNUTLS_PRIORITY: 'NORMAL:%NO_TICKETS',
};

/**
 * The kernel kills the child when the agent dies, even by SIGKILL (prctl(2), PR_SET_PDEATHSIG, kept over exec). Where
 * util-linux is missing, the child still ends by itself when the IPC channel closes.
 */
const setpriv = ['/usr/bin/setpriv', '/bin/setpriv'].find((path) => existsSync(path));

/** A small heap that is collected often: what passes through a child is buffers, which live outside of it. */
const nodeFlags: readonly string[] = ['--max-semi-space-size=1', '--max-old-space-size=96'];

export interface ChildEvents<Out> {
  message(message: Out): void;
  /** What the child said on stderr, a line at a time, not yet redacted. */
  said(line: string): void;
  /** It ended without having been told to. */
  died(fault: Fault): void;
}

export class Child<In extends { type: string }, Out extends { type: string }> {
  #process: ChildProcess | undefined;
  #stopping = false;
  #why: Fault | undefined;
  readonly #watchdog: Watchdog;
  #watching: NodeJS.Timeout | undefined;
  #looks = 0;
  /** Who waits for the answer to which `sync`. */
  readonly #syncs = new Map<number, () => void>();
  #lastSync = 0;
  #grown: string | undefined;
  #gone: Promise<void> = Promise.resolve();
  #end: (how: string) => void = () => undefined;
  #clinging: NodeJS.Timeout | undefined;
  /** It could not even be started, which is about to be said. */
  #unborn: NodeJS.Immediate | undefined;

  /**
   * `entry`: path of the compiled main file, relative to this folder. `pace`: how often it beats, and how long it may be silent.
   * `environment`: all that the child sees of ours. `limits`: of its memory; one that is
   * past the last of them is killed.
   */
  constructor(
    readonly name: string,
    private readonly entry: string,
    pace: Pace,
    private readonly environment: NodeJS.ProcessEnv,
    private readonly events: ChildEvents<Out>,
    private readonly limits: MemoryLimits = { quietBytes: Infinity, maxBytes: Infinity },
    private readonly now = systemClock.now,
  ) {
    this.#watchdog = new Watchdog(pace);
  }

  /** A second start of a running child does nothing. */
  start(): void {
    if (this.#process) return;
    clearImmediate(this.#unborn);
    this.#stopping = false;
    this.#why = undefined;
    this.#grown = undefined;
    const command = [process.execPath, ...nodeFlags, fileURLToPath(new URL(this.entry, import.meta.url))];
    if (setpriv) command.unshift(setpriv, '--pdeathsig', 'KILL', '--');
    let child: ChildProcess;
    try {
      child = spawn(command[0]!, command.slice(1), {
        stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
        env: { ...this.environment, ...childVariables },
      });
    } catch (error) {
      // Most of what keeps a program from starting comes as an `error`; that memory is short (ENOMEM) is thrown.
      this.#unborn = setImmediate(() => this.events.died(this.#ended((error as Error).message)));
      return;
    }
    this.#process = child;
    this.#watch();
    child.on('message', (message) => {
      if (this.#process !== child) return;
      this.#watchdog.heard((message as Out).type);
      if ((message as Synced).type === 'synced') return this.#confirmed((message as Synced).id);
      this.events.message(message as Out);
    });
    for (const stream of [child.stdout, child.stderr]) {
      // There are none where no more files can be opened; an `error` follows.
      if (stream) createInterface({ input: stream }).on('line', (line) => this.events.said(line));
    }
    this.#gone = new Promise((resolve) => {
      const end = (how: string): void => {
        if (this.#process !== child) return;
        this.#process = undefined;
        clearInterval(this.#watching);
        clearInterval(this.#clinging);
        this.#clinging = undefined;
        for (const id of [...this.#syncs.keys()]) this.#confirmed(id);
        resolve();
        if (!this.#stopping) {
          this.events.died(this.#why ?? this.#ended(how));
        }
      };
      this.#end = end;
      child.on('error', (error) => end(error.message));
      child.on('exit', (code, signal) => end(signal ?? `exit code ${code}`));
    });
  }

  #ended(how: string): Fault {
    return new Fault(
      'child_died',
      `The ${this.name} process ended unexpectedly (${how}).`,
      'It is restarted automatically.',
    );
  }

  /** Says that it has grown so that it is better replaced when nobody notices; undefined where it has not. */
  get grown(): string | undefined {
    return this.#grown;
  }

  /** Lost where the child does not run: whoever starts it again tells it everything again. */
  send(message: In): void {
    if (this.#process?.connected) this.#process.send(message, () => undefined);
  }

  /** Resolves once the child has done everything it was told so far, or has ended. */
  synced(): Promise<void> {
    if (!this.#process?.connected) return Promise.resolve();
    const message: Sync = { type: 'sync', id: ++this.#lastSync };
    const answer = new Promise<void>((resolve) => this.#syncs.set(message.id, resolve));
    this.#process.send(message, (error) => error && this.#confirmed(message.id));
    return answer;
  }

  #confirmed(id: number): void {
    this.#syncs.get(id)?.();
    this.#syncs.delete(id);
  }

  /** Tells it to end its work in order; kills it after 3 s. */
  async stop(): Promise<void> {
    clearImmediate(this.#unborn);
    const child = this.#process;
    if (!child) return;
    this.#stopping = true;
    clearInterval(this.#watching);
    // By signal as well as by message: a channel that is stuck must not make it wait.
    if (child.connected) child.send({ type: 'halt' }, () => undefined);
    else child.kill('SIGTERM');
    const killer = this.#patiently(killMs, () => this.#kill());
    await this.#gone;
    clearInterval(killer);
  }

  #watch(): void {
    clearInterval(this.#watching);
    this.#watchdog.started();
    this.#watching = setInterval(() => {
      this.#looks += 1;
      if ((this.#looks * beatCheckMs) % (this.limits.everyMs ?? memoryMs) === 0) void this.#weigh();
      const silent = this.#watchdog.look(this.#read);
      if (silent !== undefined) this.#replace('child_hung', `The ${this.name} process did not answer for ${silent}.`);
    }, beatCheckMs);
  }

  /** Better a moment's gap now, which is known and said, than the kernel's choice of whom to kill later. */
  async #weigh(): Promise<void> {
    const child = this.#process;
    if (child?.pid === undefined) return;
    const [bytes = 0, files] = await Promise.all([heldBytes(child.pid), openFiles(child.pid)]);
    if (child !== this.#process || this.#stopping) return;
    const megabytes = (count: number): number => Math.round(count / 1e6);
    const above = (limitBytes: number, limitFiles: number | undefined): string | undefined => {
      if (bytes > limitBytes)
        return `The ${this.name} process uses ${megabytes(bytes)} MB of memory, more than ${megabytes(limitBytes)} MB.`;
      if (files && limitFiles !== undefined && files.held > limitFiles)
        return `The ${this.name} process has ${files.held} files open, more than ${limitFiles}.`;
      return undefined;
    };
    this.#grown = above(this.limits.quietBytes, files?.quiet);
    const tooMuch = above(this.limits.maxBytes, files?.most);
    if (tooMuch !== undefined) this.#replace('child_grown', tooMuch);
  }

  #replace(code: 'child_hung' | 'child_grown', what: string): void {
    this.#why ??= new Fault(code, what, 'It is killed and restarted.');
    // It has nothing to put in order, and would perhaps not hear of it.
    this.#kill();
  }

  #kill(): void {
    const child = this.#process;
    child?.kill('SIGKILL');
    this.#clinging ??= this.#patiently(clingMs, () => {
      child?.unref();
      this.#end('it cannot be killed');
    });
  }

  /** Does `late` once the child has had `ms` in which to end; what it waited for a processor does not count. */
  #patiently(ms: number, late: () => void): NodeJS.Timeout {
    const silence = new Silence(0);
    const timer = setInterval(() => {
      silence.look(this.#read);
      if (!silence.isPast(ms)) return;
      clearInterval(timer);
      late();
    }, beatCheckMs);
    return timer;
  }

  readonly #read = (): ProcessReading | undefined => {
    const pid = this.#process?.pid;
    return pid === undefined ? undefined : readProcess(pid, this.now);
  };
}
