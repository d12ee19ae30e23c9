/** The end of a run: asked for by a signal, by a command, or by what was played to its end; and made sure of, whatever hangs. */
import type { Clock } from './clock.js';

const signals = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;
/** Under npm one Ctrl-C comes twice: from the terminal, and passed on by npm. What comes later is somebody in a hurry. */
const echoMs = 300;
/** From the signal to the end at the most, whatever hangs: balena kills 10 s after SIGTERM, and its lock must be gone by then. */
const endMs = 7000;

/** What tells of signals: the process. */
export interface Signals {
  on(signal: (typeof signals)[number], heard: () => void): unknown;
  off(signal: (typeof signals)[number], heard: () => void): unknown;
}

export class Ending {
  #resolve: (code: number) => void = () => undefined;
  #signalledAt: number | undefined;
  #deadline: NodeJS.Timeout | undefined;
  /** Resolves to the exit code once the end was asked for. */
  readonly code = new Promise<number>((resolve) => (this.#resolve = resolve));

  /** `leave` ends the program at once, with an exit code. */
  constructor(
    private readonly source: Signals,
    private readonly clock: Pick<Clock, 'now'>,
    private readonly leave: (code: number) => void,
  ) {}

  /** From now on signals end the run, and no longer the process. */
  start(): void {
    for (const signal of signals) this.source.on(signal, this.#heard);
  }

  stop(): void {
    for (const signal of signals) this.source.off(signal, this.#heard);
    clearTimeout(this.#deadline);
  }

  /** In order, with this exit code; the first who asks is the one that counts. */
  ask(code: number): void {
    this.#resolve(code);
  }

  readonly #heard = (): void => {
    const now = this.clock.now();
    this.#deadline ??= setTimeout(() => this.leave(1), endMs).unref();
    this.#signalledAt ??= now;
    // The children die with us: the kernel sees to that.
    if (now - this.#signalledAt > echoMs) this.leave(1);
    this.ask(0);
  };
}
