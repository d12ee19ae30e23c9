/** The last lines of the log, for whoever asks remotely what has happened. */
import type { Line, Log } from '../log.js';

/** Half an hour of frequent faults; at most a quarter of what one message may hold. */
const mostLines = 100;
const longestMessage = 500;

export interface RecentLine extends Line {
  /** Time (RFC 3339) by the clock of the machine. */
  readonly at: string;
}

export class Recent {
  readonly #lines: RecentLine[] = [];

  /** `wallMs`: ms since 1970. */
  constructor(log: Pick<Log, 'onLine'>, wallMs: () => number) {
    log.onLine(({ level, event, message }) => {
      // Only the newest status matters, and that can be asked for.
      if (event === 'status') return;
      const at = new Date(wallMs()).toISOString();
      this.#lines.push({ at, level, event, message: message.slice(0, longestMessage) });
      if (this.#lines.length > mostLines) this.#lines.shift();
    });
  }

  /** Oldest first. */
  get lines(): readonly RecentLine[] {
    return this.#lines;
  }
}
