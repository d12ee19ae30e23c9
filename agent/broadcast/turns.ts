/** Work that goes one after the other, in the order in which it was given. */

export class Turns {
  #last: Promise<unknown> = Promise.resolve();

  /** Does `work` once all that was given before is done, whether well or not. */
  take<T>(work: () => Promise<T>): Promise<T> {
    const turn = this.#last.then(work);
    this.#last = turn.catch(() => undefined);
    return turn;
  }

  /** All that was given so far is done. */
  async done(): Promise<void> {
    await this.#last;
  }
}
