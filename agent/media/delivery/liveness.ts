/** Whether a connection lives: judged by what its peer acknowledges and has room for, against what is due to it. Pure. */

/** How often its progress is checked. */
export const progressCheckMs = 500;
/** 2 s, and 6 s: a server that reads no more and a black hole are given up within 8 s. */
const stalledLooks = 4;
const deadLooks = 12;
/**
 * The kernel of a server that has stopped goes on acknowledging until its buffer is full: 0.25 MB at 400 kbit/s, 1 MB at 2.5 Mbit/s,
 * so 3 to 5 s (nginx-rtmp, Linux 6.18), and much longer after a burst has made the buffer grow. But its window then shrinks by
 * 82 to 97 % of what it acknowledges, where that of a server that reads stays what it is. Older kernels count a buffer as twice as full
 * as it is: there it shrinks by half and more.
 */
const leastRead = 0.5;

export type Pulse = 'fine' | 'stalled' | 'dead';

/** Bytes since the connection was made that its peer has acknowledged, and has room for beyond that, where that is known. */
export interface Progress {
  readonly acked: number;
  readonly window?: number;
}

export class Liveness {
  #acked = 0;
  #window: number | undefined;
  /** Looks in vain, counted, not timed: a process that stood still did not look, and a machine that slept has nothing to blame. */
  #inVain = 0;

  /** One look. `due`: something waits to be acknowledged. */
  look({ acked, window }: Progress, due: boolean): Pulse {
    const growth = acked - this.#acked;
    const filled = (this.#window ?? 0) - (window ?? 0);
    const isUnread =
      this.#window !== undefined && window !== undefined && growth > 0 && growth - filled < growth * leastRead;
    this.#inVain = isUnread || (growth <= 0 && due) ? this.#inVain + 1 : 0;
    this.#acked = Math.max(acked, this.#acked);
    this.#window = window;
    if (this.#inVain >= deadLooks) return 'dead';
    return this.#inVain >= stalledLooks ? 'stalled' : 'fine';
  }

  /** A new connection: its counters begin again. */
  reset(): void {
    this.#acked = 0;
    this.#window = undefined;
    this.#inVain = 0;
  }
}
