/** Logs the status document at the interval in the settings, and checks each time what strains the board. */
import type { Fault } from '../errors.js';
import type { Log } from '../log.js';
import type { Strain } from '../machine/host/power.js';
import { statusLine, type Status } from './status.js';
import type { Steering } from '../steering/steering.js';
import type { BoardStrain } from './strain.js';

/** What the log of the status needs of the program around it. */
export interface StatusLogDependencies {
  readonly log: Pick<Log, 'enabled' | 'always'>;
  readonly steering: Pick<Steering, 'resolved' | 'onChange'>;
  /** The whole document. */
  readonly status: () => Status;
  readonly board: Pick<BoardStrain, 'look'>;
  /** What strains the board now; undefined where the firmware does not report it. */
  readonly strain: () => Promise<Strain | undefined>;
  /** °C; undefined where there is no sensor. */
  readonly temperature: () => Promise<number | undefined>;
  /** Gets a fault for whatever has begun to strain the board. */
  readonly report: (fault: Fault) => void;
}

export class StatusLog {
  #timer: NodeJS.Timeout | undefined;

  constructor(private readonly dependencies: StatusLogDependencies) {}

  /** Checks the board now, and logs the status for the first time after one interval. */
  start(signal: AbortSignal): void {
    this.dependencies.steering.onChange((changed) => {
      if (changed.some(({ path }) => path === 'log.statusSeconds')) this.#wait();
    }, signal);
    void this.#look();
    this.#wait();
  }

  stop(): void {
    clearTimeout(this.#timer);
  }

  /** One more line. `degrees`: temperature of the processor, °C. */
  say(degrees?: number): void {
    const { log, status: current } = this.dependencies;
    if (!log.enabled('info')) return;
    const status = { ...current(), ...(degrees === undefined ? {} : { temperature: degrees }) };
    log.always('info', 'status', statusLine(status), { status });
  }

  #wait(): void {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => {
      void this.#tick();
      this.#wait();
    }, this.dependencies.steering.resolved.settings.log.statusSeconds * 1000);
  }

  async #tick(): Promise<void> {
    await this.#look();
    this.say(await this.dependencies.temperature());
  }

  async #look(): Promise<void> {
    const { board, strain, report } = this.dependencies;
    for (const fault of board.look(await strain())) report(fault);
  }
}
