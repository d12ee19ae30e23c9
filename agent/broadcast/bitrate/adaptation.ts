/** The bitrate that all connections carry which count: each has its own controller, and the lowest result is taken. */
import type { Clock } from '../../clock.js';
import type { OutputStatus } from '../../media/messages.js';
import { Bitrate, type Bounds } from './bitrate.js';

/** What a connection carried that was lost this long ago is no longer relevant. */
const memoryMs = 60_000;

interface Known {
  readonly bitrate: Bitrate;
  readonly lastLive: number;
}

export class Adaptation {
  readonly #known = new Map<string, Known>();

  constructor(private readonly clock: Clock) {}

  /**
   * One look at the outputs, about once a second: kbit/s to ask of the encoder. Outputs that `follows` says no to do not count.
   * One that carries nothing for a while says nothing new: what was asked for it last holds, or it would find a queue when it is back.
   */
  look(outputs: Readonly<Record<string, OutputStatus>>, follows: (name: string) => boolean, bounds: Bounds): number {
    const now = this.clock.now();
    for (const [name, { state, queuedMs, deliveredKbps }] of Object.entries(outputs)) {
      if (state !== 'live' || !follows(name)) continue;
      const bitrate = this.#recent(name, now) ?? new Bitrate(bounds);
      this.#known.set(name, { bitrate, lastLive: now });
      bitrate.within(bounds);
      bitrate.look({ queuedMs, deliveredKbps }, now);
    }
    let least = bounds.fullKbps;
    for (const name of this.#known.keys()) {
      const bitrate = follows(name) ? this.#recent(name, now) : undefined;
      bitrate?.within(bounds);
      least = Math.min(least, bitrate?.targetKbps ?? least);
    }
    return least;
  }

  #recent(name: string, now: number): Bitrate | undefined {
    const known = this.#known.get(name);
    return known && now - known.lastLive < memoryMs ? known.bitrate : undefined;
  }

  forget(): void {
    this.#known.clear();
  }
}
