/** The bitrate that every connection carries which counts: each has a controller of its own, and the least of them is taken. */
import type { Clock } from '../clock.js';
import type { OutputStatus } from '../media/messages.js';
import { Bitrate, type Bounds } from './bitrate.js';

/** What a connection carried that was lost so long ago says nothing any more. */
const memoryMs = 60_000;

interface Known {
  readonly bitrate: Bitrate;
  readonly lastLive: number;
}

export class Adaptation {
  readonly #known = new Map<string, Known>();

  constructor(private readonly clock: Clock) {}

  /** One look at the outputs, about once a second: kbit/s to ask of the encoder. Outputs that `follows` says no to do not count. */
  look(outputs: Readonly<Record<string, OutputStatus>>, follows: (name: string) => boolean, bounds: Bounds): number {
    const now = this.clock.now();
    let least = bounds.fullKbps;
    for (const [name, { state, queuedMs, deliveredKbps }] of Object.entries(outputs)) {
      // One that is stalled carries nothing: that is no matter of the bitrate.
      if (state !== 'live' || !follows(name)) continue;
      const known = this.#known.get(name);
      const bitrate = known && now - known.lastLive < memoryMs ? known.bitrate : new Bitrate(bounds);
      this.#known.set(name, { bitrate, lastLive: now });
      bitrate.within(bounds);
      least = Math.min(least, bitrate.look({ queuedMs, deliveredKbps }, now));
    }
    return least;
  }

  forget(): void {
    this.#known.clear();
  }
}
