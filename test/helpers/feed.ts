/** A growing list of events that tests wait on: what has happened already counts as well as what comes. */

/** Every deadline here is so many times what the caller says: a machine that is emulated in software is that much slower. */
const patience = Number(process.env['TEST_PATIENCE'] ?? 1);

interface Waiter<T> {
  test(item: T): boolean;
  settle(item: T): void;
}

export class Feed<T> {
  readonly items: T[] = [];
  readonly #waiters = new Set<Waiter<T>>();

  /** `name` stands in the error of a wait that is not fulfilled. */
  constructor(readonly name: string) {}

  push(item: T): void {
    this.items.push(item);
    for (const waiter of this.#waiters) if (waiter.test(item)) waiter.settle(item);
  }

  /** Lets go of all but the last `keep` items and returns them, for what runs for hours: indexes that were taken before are void. */
  forget(keep = 0): T[] {
    return this.items.splice(0, Math.max(0, this.items.length - keep));
  }

  /**
   * The first item from index `from` on that fulfils `test`, whether it is there already or comes within `deadlineMs`.
   * The error of a missed deadline shows the last items.
   */
  async waitFor(test: (item: T) => boolean, deadlineMs: number, from = 0): Promise<T> {
    const there = this.items.slice(from).find(test);
    if (there !== undefined) return there;
    const patientMs = deadlineMs * patience;
    return new Promise<T>((resolve, reject) => {
      const waiter: Waiter<T> = {
        test,
        settle: (item) => {
          this.#waiters.delete(waiter);
          clearTimeout(timer);
          resolve(item);
        },
      };
      const timer = setTimeout(() => {
        this.#waiters.delete(waiter);
        const last = this.items
          .slice(-8)
          .map((item) => (typeof item === 'string' ? item : JSON.stringify(item)).slice(0, 300));
        reject(
          new Error(`${this.name}: not seen within ${patientMs} ms. Last of ${this.items.length}:\n${last.join('\n')}`),
        );
      }, patientMs);
      // Of two waits that race, the one that lost must not hold the program until its deadline.
      timer.unref();
      this.#waiters.add(waiter);
    });
  }
}

/** `promise`, or an error that says `what` was not there in time. */
export async function within<T>(promise: Promise<T>, deadlineMs: number, what: string): Promise<T> {
  const patientMs = deadlineMs * patience;
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`${what}: not within ${patientMs} ms`)), patientMs);
  });
  try {
    return await Promise.race([promise, late]);
  } finally {
    clearTimeout(timer);
  }
}

/** Asks `question` again and again (every 20 ms) until its answer is neither undefined nor false; for what gives no event. */
export async function until<T>(
  question: () => Promise<T> | T,
  deadlineMs: number,
  what: string,
): Promise<Exclude<T, undefined | false>> {
  const patientMs = deadlineMs * patience;
  const end = performance.now() + patientMs;
  for (;;) {
    const answer = await question();
    if (answer !== undefined && answer !== false) return answer as Exclude<T, undefined | false>;
    if (performance.now() > end) throw new Error(`${what}: not within ${patientMs} ms`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}
