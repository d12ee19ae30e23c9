/** How long a child may be silent: from its start to its first word, after a `busy`, and between two beats. Pure. */
import { Silence, type ProcessReading } from './silence.js';

export interface Pace {
  /** How often it says at least that it is there. */
  readonly beatMs: number;
  /** One that says nothing for so long hangs. */
  readonly hungMs: number;
}

/** Loading Node and GStreamer from a slow SD card takes its time. */
const startMs = 60_000;
/**
 * A machine that is slow at starting a child is slow at all it does: a child may be silent for this many times as long as it took
 * to come up, if that is more than its own patience. A PC starts one in 0.3 s, a Zero W in several seconds.
 */
const startsPatience = 3;
const mostPatienceMs = 10_000;
/** So does what a child announces with a `busy`: plugins are loaded, a device is opened or closed, and nothing else is done meanwhile. */
const busyMs = 8000;

export class Watchdog {
  readonly #silence: Silence;
  #patienceMs = startMs;
  /** Once it is up. */
  #usualMs: number | undefined;

  constructor(private readonly pace: Pace) {
    this.#silence = new Silence(pace.beatMs);
  }

  started(): void {
    this.#silence.end();
    this.#patienceMs = startMs;
    this.#usualMs = undefined;
  }

  /** It said something. */
  heard(type: string): void {
    const { hungMs } = this.pace;
    this.#usualMs ??= Math.min(Math.max(hungMs, startsPatience * this.#silence.ownMs), mostPatienceMs);
    this.#patienceMs = type === 'busy' ? Math.max(busyMs, this.#usualMs) : this.#usualMs;
    this.#silence.end();
  }

  /** One look, every {@link beatCheckMs}: how long it has been silent, in words, where that is too long. */
  look(read: () => ProcessReading | undefined): string | undefined {
    this.#silence.look(read);
    return this.#silence.isPast(this.#patienceMs) ? `${this.#silence}` : undefined;
  }
}
