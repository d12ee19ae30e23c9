/** Whether a connection lives: judged by what its peer acknowledges, against what is due to it. Pure. */

/** How often it is looked at. */
export const lookMs = 500;
/** 2 s, and 6 s: a black hole is given up within 8 s, the time that the peer's own buffer takes to fill included. */
const stalledLooks = 4;
const deadLooks = 12;

export type Pulse = 'fine' | 'stalled' | 'dead';

export class Liveness {
  #acked = 0;
  /** Looks in vain, counted, not timed: a process that stood still did not look, and a machine that slept has nothing to blame. */
  #inVain = 0;

  /** One look. `acked`: bytes that the peer has acknowledged since the connection was made; `due`: something waits for that. */
  look(acked: number, due: boolean): Pulse {
    this.#inVain = acked > this.#acked || !due ? 0 : this.#inVain + 1;
    this.#acked = Math.max(acked, this.#acked);
    if (this.#inVain >= deadLooks) return 'dead';
    return this.#inVain >= stalledLooks ? 'stalled' : 'fine';
  }

  /** A new connection: its counters begin anew. */
  reset(): void {
    this.#acked = 0;
    this.#inVain = 0;
  }
}
