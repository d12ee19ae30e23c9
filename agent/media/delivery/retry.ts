/** When an output is tried again. */
import type { Clock } from '../../clock.js';

/** Waits are chosen by chance between two thirds of a ceiling and all of it: this one gives half a second to three quarters. */
const firstCeilingMs = 750;
const lastCeilingMs = 30_000;
/** The ceiling is this part of the time that the output has been away, so that waiting never makes an outage much longer. */
const awayShare = 1 / 15;
/** A connection whose media was acknowledged for this long without a stall was a good one: the next wait is short again. */
const steadyMs = 30_000;

export class Retry {
  /** When the trouble began that no steady connection has ended yet. */
  #awaySince: number | undefined;
  #fineSince: number | undefined;

  constructor(private readonly clock: Clock) {}

  /**
   * Milliseconds to wait, now that a connection has failed; `slowly` where trying alone will not help. A part of it is chance,
   * so that many outputs and many devices do not come back in one moment.
   */
  waitMs(slowly: boolean): number {
    const now = this.clock.now();
    this.#fineSince = undefined;
    this.#awaySince ??= now;
    const grown = (now - this.#awaySince) * awayShare;
    const ceiling = slowly ? lastCeilingMs : Math.min(lastCeilingMs, Math.max(firstCeilingMs, grown));
    return (ceiling * (2 + this.clock.random())) / 3;
  }

  /** Media leaves as it should, or does not. */
  progress(fine: boolean): void {
    const now = this.clock.now();
    if (!fine) this.#fineSince = undefined;
    else this.#fineSince ??= now;
    if (this.#fineSince !== undefined && now - this.#fineSince >= steadyMs) this.#awaySince = undefined;
  }

  /** What has been is no guide any more: the network is another one, or the operator knows better. */
  forget(): void {
    this.#awaySince = undefined;
  }
}
