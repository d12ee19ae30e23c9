/** The end of a run: requested by a signal, by a command, or at the end of the files; and enforced, whatever hangs. */
import type { Clock } from './clock.js';

const signals = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;
/** Under npm one Ctrl-C comes twice: from the terminal, and passed on by npm. What comes later is somebody in a hurry. */
const echoMs = 300;
/** The longest time from the signal to the end: balena kills 10 s after SIGTERM, and its lock must be released by then. */
const endMs = 7000;

/** The source of signals: the process. */
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

  /** Asks for an end in order, with this exit code; only the first request counts. */
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
