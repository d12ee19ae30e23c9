/** When to retry what has failed: soon at first, then with ever longer pauses; soon again once it has worked for a while. */
import type { Clock } from '../clock.js';

const usualFirstMs = 300;
/** What has worked for this long is considered to work. */
const steadyMs = 10_000;

export class Backoff {
  #tries = 0;
  #worksSince: number | undefined;
  #timer: NodeJS.Timeout | undefined;

  /** `maxMs`: the longest wait. `firstMs`: the first one. */
  constructor(
    private readonly clock: Clock,
    private readonly maxMs = 10_000,
    private readonly firstMs = usualFirstMs,
  ) {}

  /** Calls `again` after the wait; a call that is still waiting is replaced. */
  again(again: () => void): void {
    this.cancel();
    this.#worksSince = undefined;
    const wait = Math.min(this.maxMs, this.firstMs * 2 ** this.#tries);
    this.#tries += 1;
    this.#timer = setTimeout(again, wait / 2 + (this.clock.random() * wait) / 2);
  }

  /** Call while it works, about once a second. */
  progress(): void {
    const now = this.clock.now();
    this.#worksSince ??= now;
    if (now - this.#worksSince >= steadyMs) this.#tries = 0;
  }

  /** It has worked for a while now. */
  get isSteady(): boolean {
    return this.#worksSince !== undefined && this.clock.now() - this.#worksSince >= steadyMs;
  }

  cancel(): void {
    clearTimeout(this.#timer);
  }

  /** Something else comes next, which has not failed yet. */
  reset(): void {
    this.cancel();
    this.#tries = 0;
    this.#worksSince = undefined;
  }
}
