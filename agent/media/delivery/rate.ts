/** How fast a counter grows, over the last seconds. */

const longMs = 10_000;

export class Rate {
  #samples: { at: number; count: number }[] = [];

  /** `windowMs`: how far it looks back. */
  constructor(
    private readonly now: () => number,
    private readonly windowMs = longMs,
  ) {}

  /** Growth a second up to now, with `count` as the counter's present value; 0 at the first call. */
  perSecond(count: number): number {
    const at = this.now();
    this.#samples.push({ at, count });
    while (this.#samples.length > 2 && at - this.#samples[1]!.at >= this.windowMs) this.#samples.shift();
    const first = this.#samples[0]!;
    return at > first.at ? Math.max(0, ((count - first.count) * 1000) / (at - first.at)) : 0;
  }

  /** The counter starts again. */
  reset(): void {
    this.#samples = [];
  }
}
