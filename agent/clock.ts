/** Time and chance as arguments, so that what waits and what chooses can be tried without either. */

export interface Clock {
  /** Milliseconds of a steady clock, which no one sets. */
  readonly now: () => number;
  /** From 0 to 1. */
  readonly random: () => number;
}

export const systemClock: Clock = { now: () => performance.now(), random: () => Math.random() };
