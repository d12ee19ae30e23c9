/**
 * How long a process has been silent, less what the machine is to blame for: a process that waits for a processor does not hang, and one
 * that took its place would wait as long. Pure.
 */

/** What the kernel knows of a thread at one moment, in milliseconds since it began. */
export interface ThreadReading {
  /** It has a processor or waits for one; else it sleeps, or is stopped. */
  readonly isRunnable: boolean;
  /** So long it has had a processor. */
  readonly ranMs: number;
  /** So long it has waited for one. Kernels count a wait once it is over: of one that lasts only {@link isRunnable} tells. */
  readonly waitedMs: number;
}

/** A process at one moment of a steady clock. */
export interface ProcessReading {
  readonly atMs: number;
  readonly main: ThreadReading;
  /** By thread number. */
  readonly others: ReadonlyMap<number, ThreadReading>;
}

/** How often a child is checked. */
export const beatCheckMs = 250;
/** In case something is misread: nobody is waited for longer than this, unless their patience is longer anyway. */
const mostMs = 30_000;

/**
 * The part of the time between the first reading and the last in which the process waited for a processor, from 0 to 1: its main thread
 * itself, or, while that slept, another thread, whose work it may have slept for.
 */
export function waitingShare(readings: readonly ProcessReading[]): number {
  let waitedMs = 0;
  for (const [index, now] of readings.entries()) {
    const before = readings[index - 1];
    if (!before) continue;
    const ms = now.atMs - before.atMs;
    const own = waitMs(before.main, now.main, ms);
    const others = [...now.others].map(([id, thread]) => waitMs(before.others.get(id), thread, ms));
    const asleepMs = ms - own - (now.main.ranMs - before.main.ranMs);
    waitedMs += own + Math.max(0, Math.min(asleepMs, Math.max(0, ...others)));
  }
  const allMs = (readings.at(-1)?.atMs ?? 0) - (readings[0]?.atMs ?? 0);
  return allMs > 0 ? Math.min(1, waitedMs / allMs) : 0;
}

/** How much of `ms` a thread waited for a processor. */
function waitMs(before: ThreadReading | undefined, now: ThreadReading, ms: number): number {
  if (!before) return 0;
  const idleMs = ms - (now.ranMs - before.ranMs);
  // What one that can run did not run, it waits. A wait that is over may have begun before.
  return Math.max(0, now.isRunnable ? idleMs : Math.min(now.waitedMs - before.waitedMs, idleMs));
}

/** One silence after the other, look by look. */
export class Silence {
  /** Counted in looks, not by the clock: who looks late, since the machine stood still, has seen nothing come, nor stay away. */
  #ms = 0;
  readonly #readings: ProcessReading[] = [];

  /** Silence up to `usualMs` says nothing, and nothing is read meanwhile. */
  constructor(private readonly usualMs: number) {}

  /** Something came. */
  end(): void {
    this.#ms = 0;
    this.#readings.length = 0;
  }

  /** One look in vain, {@link beatCheckMs} after the one before. `read`: the process that nothing came of, or undefined where nobody knows. */
  look(read: () => ProcessReading | undefined): void {
    this.#ms += beatCheckMs;
    if (this.#ms <= this.usualMs) return;
    const reading = read();
    if (reading) this.#readings.push(reading);
  }

  /** What the process waited for a processor while it was read is taken for its share of the whole silence. */
  get ownMs(): number {
    return this.#ms * (1 - waitingShare(this.#readings));
  }

  /** It has lasted for `patienceMs`, or for so long that no machine is an excuse. */
  isPast(patienceMs: number): boolean {
    return this.#ms >= patienceMs && (this.ownMs >= patienceMs || this.#ms >= mostMs);
  }

  /** Such as "1.5 s", or "6.3 s, 4.6 s of it waiting for a processor". */
  toString(): string {
    const seconds = (ms: number): string => `${Number((ms / 1000).toFixed(1))} s`;
    const waitedMs = this.#ms - this.ownMs;
    return `${seconds(this.#ms)}${waitedMs < beatCheckMs ? '' : `, ${seconds(waitedMs)} of it waiting for a processor`}`;
  }
}
