/** What the log says, on its way to the broker: some of it waits while there is no connection, the rest is counted. */

/** An hour of a device that has something to say every minute or so. */
const maxWaiting = 100;

type Sent<T> = T & { readonly leftOut?: number };

export class Events<T extends object> {
  #waiting: Sent<T>[] = [];
  /** Sent over a connection that broke before they were acknowledged, oldest first. */
  #returned: Sent<T>[] = [];
  #leftOut = 0;

  /** `send` says whether it could, and calls `lost` where it turns out later that nobody has taken it. */
  constructor(private readonly send: (event: Sent<T>, lost: () => void) => boolean) {}

  add(event: T): void {
    this.#waiting.push(event);
    this.flush();
  }

  /** Sends what waits, oldest first, for as long as that works. */
  flush(): void {
    this.#waiting.unshift(...this.#returned.splice(0));
    for (const { leftOut = 0 } of this.#waiting.splice(0, this.#waiting.length - maxWaiting))
      this.#leftOut += 1 + leftOut;
    for (;;) {
      const [first] = this.#waiting;
      if (!first) return;
      const leftOut = this.#leftOut + (first.leftOut ?? 0);
      const event = leftOut > 0 ? { ...first, leftOut } : first;
      if (!this.send(event, () => this.#returned.push(event))) return;
      this.#leftOut = 0;
      this.#waiting.shift();
    }
  }
}
