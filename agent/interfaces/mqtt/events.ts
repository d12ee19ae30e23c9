/** What the log says, on its way to the broker: some of it waits while there is no connection, the rest is counted. */

/** An hour of a device that has something to say every minute or so. */
const mostWaiting = 100;

export class Events<T extends object> {
  #waiting: T[] = [];
  #leftOut = 0;

  /** `send` says whether it could. */
  constructor(private readonly send: (event: T & { readonly leftOut?: number }) => boolean) {}

  add(event: T): void {
    this.#waiting.push(event);
    if (this.#waiting.length > mostWaiting) {
      this.#waiting.shift();
      this.#leftOut += 1;
    }
    this.flush();
  }

  /** Sends what waits, oldest first, for as long as that works. */
  flush(): void {
    for (;;) {
      const [first] = this.#waiting;
      if (!first) return;
      if (!this.send(this.#leftOut > 0 ? { ...first, leftOut: this.#leftOut } : first)) return;
      this.#leftOut = 0;
      this.#waiting.shift();
    }
  }
}
