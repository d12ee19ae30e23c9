/** Looks at what may be on a disk that hangs: each holds one of the few threads for files, so nothing is looked at twice at a time. */

/**
 * So long a broadcast that begins waits for the files that it is to play, and for the slate's picture: what is long, or on a disk
 * that is slow or hangs, is waited for with the slate on the air.
 */
export const usualPatienceMs = 5000;

export class Looks<T> {
  readonly #going = new Map<string, Promise<T>>();

  /** What `look` finds at `path`; of a look that is still going, what that finds. */
  at(path: string, look: () => Promise<T>): Promise<T> {
    const going = this.#going.get(path);
    if (going) return going;
    const begun = look().finally(() => this.#going.delete(path));
    this.#going.set(path, begun);
    return begun;
  }
}

/** What `work` comes to, or `late()` after so many milliseconds; the work goes on. */
export async function within<T>(work: Promise<T>, ms: number, late: () => T): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const struck = new Promise<T>((resolve) => (timer = setTimeout(() => resolve(late()), ms)));
  return Promise.race([work, struck]).finally(() => clearTimeout(timer));
}
