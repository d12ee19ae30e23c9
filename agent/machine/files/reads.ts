/** Reads of what may be on a disk that hangs: each holds one of the few threads for files, so nothing is read twice at a time. */

/**
 * How long the start of a broadcast waits for the files that it is to play, and for the slate's picture: what takes longer, or is on a
 * disk that is slow or hangs, is waited for with the slate on the air.
 */
export const defaultPatienceMs = 5000;

export class SharedReads<T> {
  readonly #running = new Map<string, Promise<T>>();

  /** What `read` finds at `path`; where a read of it still runs, what that finds. */
  at(path: string, read: () => Promise<T>): Promise<T> {
    const running = this.#running.get(path);
    if (running) return running;
    const begun = read().finally(() => this.#running.delete(path));
    this.#running.set(path, begun);
    return begun;
  }
}

/** The result of `work`, or `late()` after so many milliseconds; the work goes on. */
export async function withDeadline<T>(work: Promise<T>, ms: number, late: () => T): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const expired = new Promise<T>((resolve) => (timer = setTimeout(() => resolve(late()), ms)));
  return Promise.race([work, expired]).finally(() => clearTimeout(timer));
}
