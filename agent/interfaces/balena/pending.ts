/** Since when an update is pending: kept over restarts, so that one that is put off again and again is applied in the end. */
import type { Storage } from '../../machine/storage/storage.js';
import { earliest } from './policy.js';
import type { Update } from './supervisor.js';

const name = 'update';
const format = 1;
const isState = (value: unknown): value is { since: number | null } => {
  const since = (value as { since?: unknown } | null)?.since;
  return since === null || typeof since === 'number';
};

/** A Supervisor that has just started knows of no update for a while: so often in a row it must say so. */
const timesNone = 3;

export class PendingUpdate {
  #since: number | undefined;
  #none = 0;

  constructor(private readonly storage: Storage) {}

  /** Milliseconds since 1970; undefined where none waits. */
  get since(): number | undefined {
    return this.#since;
  }

  async load(): Promise<void> {
    this.#since = (await this.storage.readState(name, format, isState))?.since ?? undefined;
  }

  /** As the Supervisor says it at `now`, in milliseconds since 1970. */
  async heard(update: Update, now: number): Promise<void> {
    this.#none = update === 'none' ? this.#none + 1 : 0;
    // A clock that is not set says nothing, and one that was set back would put it off.
    const since = this.#since === undefined || this.#since > now ? now : this.#since;
    if (update === 'waiting' && now >= earliest) await this.#keep(since);
    else if (this.#none >= timesNone && this.#since !== undefined) await this.#keep(undefined);
  }

  async #keep(since: number | undefined): Promise<void> {
    if (since === this.#since) return;
    this.#since = since;
    await this.storage.writeState(name, format, { since: since ?? null });
  }
}
