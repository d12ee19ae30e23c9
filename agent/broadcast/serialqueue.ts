/** A serial queue: one piece of work at a time, in the order in which it was given. */

export class SerialQueue {
  #last: Promise<unknown> = Promise.resolve();

  /** Does `work` once all earlier work has ended, whether it succeeded or failed. */
  run<T>(work: () => Promise<T>): Promise<T> {
    const result = this.#last.then(work);
    this.#last = result.catch(() => undefined);
    return result;
  }

  /** Resolves once all work given so far has ended. */
  async done(): Promise<void> {
    await this.#last;
  }
}
