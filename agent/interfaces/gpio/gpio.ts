/** A button and a tally light at the board's GPIO lines. */
import type { GpioSettings } from '../../config/settings.js';
import type { Clock } from '../../clock.js';
import { Fault } from '../../errors.js';
import type { Log } from '../../log.js';
import { isOn } from '../../broadcast/status.js';
import type { Status } from '../../control/status.js';
import type { Control, Interface } from '../../control/interface.js';
import { every } from '../pace.js';
import { Button } from './button.js';
import { openLine, type Line, type OpenLine } from './line.js';
import { isLit } from './tally.js';

/** Half of a blink, and how late the light may be. */
const pollMs = 500;
/** Where no line is set, somebody may set one. */
const idlePollMs = 5000;
/** What could not be opened is tried again. */
const againMs = 30_000;

export interface GpioDependencies {
  readonly log: Log;
  readonly clock: Clock;
  /** Tests put lines of their own in its place. */
  readonly open?: OpenLine;
}

export class Gpio implements Interface {
  readonly #open: OpenLine;
  #button: { line: Line; presses: Button } | undefined;
  #led: Line | undefined;
  #lit = false;
  #polls = 0;
  /** The settings that the lines were opened by, as text. */
  #openedBy = '';
  readonly #faults = new Map<'led' | 'button', Fault>();
  #againAt = -Infinity;

  constructor(
    private readonly control: Control,
    private readonly deps: GpioDependencies,
  ) {
    this.#open = deps.open ?? openLine;
  }

  start(signal: AbortSignal): Promise<void> {
    void every(
      () => (this.#isWanted ? pollMs : idlePollMs),
      () => this.poll(),
      signal,
    );
    return Promise.resolve();
  }

  stop(): Promise<void> {
    this.#close();
    return Promise.resolve();
  }

  tells({ problems }: Status): Partial<Status> {
    return this.#faults.size > 0
      ? { problems: [...problems, ...[...this.#faults.values()].map((fault) => fault.report())] }
      : {};
  }

  /** Opens the lines that the settings name, and shows the state by the light. Twice a second. */
  async poll(): Promise<void> {
    const { gpio } = this.control.settings();
    const text = JSON.stringify(gpio);
    const now = this.deps.clock.now();
    if (text !== this.#openedBy || (this.#faults.size > 0 && now >= this.#againAt)) {
      this.#close();
      this.#openedBy = text;
      this.#againAt = now + againMs;
      await this.#tried('led', () => this.#openLed(gpio));
      await this.#tried('button', () => this.#openButton(gpio));
    }
    this.#polls += 1;
    if (this.#led) await this.#tried('led', () => this.#light(isLit(this.control.status().actual, this.#polls)));
  }

  get #isWanted(): boolean {
    const { button, led } = this.control.settings().gpio;
    return button !== 'off' || led !== 'off';
  }

  async #openLed({ led, ledLit }: GpioSettings): Promise<void> {
    if (led !== 'off') this.#led = await this.#open({ line: led, direction: 'out', activeLow: ledLit === 'low' });
  }

  async #openButton({ button, buttonPressed }: GpioSettings): Promise<void> {
    if (button === 'off') return;
    const line = await this.#open({ line: button, direction: 'in', activeLow: buttonPressed === 'low' });
    const presses = new Button(line.read() === 1, {
      short: () => this.#pressed(),
      long: () => this.#held(),
    });
    this.#button = { line, presses };
    line.watch((value) => presses.edge(value === 1));
  }

  /** What goes wrong is a problem in the status, and said once. */
  async #tried(part: 'led' | 'button', work: () => void | Promise<void>): Promise<void> {
    try {
      await work();
      this.#faults.delete(part);
    } catch (error) {
      const fault = Fault.from(error);
      const { log } = this.deps;
      if (this.#faults.get(part)?.what !== fault.what)
        log.warn(fault.code, `[${fault.code}] ${fault.message}`, { code: fault.code });
      this.#faults.set(part, fault);
    }
  }

  #close(): void {
    this.#button?.presses.stop();
    for (const line of [this.#button?.line, this.#led]) {
      try {
        line?.close();
      } catch {
        // The line has gone: there is nothing left to close.
      }
    }
    this.#button = undefined;
    this.#led = undefined;
    this.#lit = false;
  }

  #light(lit: boolean): void {
    if (!this.#led || lit === this.#lit) return;
    this.#led.write(lit ? 1 : 0);
    this.#lit = lit;
  }

  #pressed(): void {
    const on = isOn(this.control.status());
    this.deps.log.info(
      'button',
      on ? 'Button pressed: waiting outputs are retried now.' : 'Button pressed: the broadcast starts.',
    );
    if (on) this.control.retry();
    else void this.control.startBroadcast();
  }

  #held(): void {
    this.deps.log.info('button', 'Button held: the broadcast stops.');
    void this.control.stopBroadcast();
  }
}
