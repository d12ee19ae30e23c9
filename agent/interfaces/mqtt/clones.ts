/** A card that was cloned shows itself: another boot id on our own `state`, or two devices that push each other off the broker. */
import type { Clock } from '../../clock.js';
import { parse } from './payload.js';

/** So many signs within a minute: two devices push each other off. A single one may be a broker that has lost the latest state. */
const maxSigns = 2;
const signsMs = 60_000;

export class Clones {
  /** Our state was published over this connection; over one before it. */
  #said = false;
  #saidEarlier = false;
  /** When our place was taken, or another's state was found in the place of ours. */
  #signs: number[] = [];

  /** `found`: another device uses our id. `buried`: `lost` stands at the broker in place of our state. */
  constructor(
    private readonly boot: string,
    private readonly clock: Clock,
    private readonly events: { readonly found: () => void; readonly buried: () => void },
  ) {}

  /** Another broker, where nothing of ours is. */
  elsewhere(): void {
    this.#said = false;
    this.#signs = [];
  }

  connected(): void {
    this.#saidEarlier = this.#said;
  }

  /** Our state stands at the broker. */
  stateSaid(): void {
    this.#said = true;
  }

  /** Our place at the broker was given away. */
  takenOver(): void {
    this.#sign();
  }

  /**
   * Another boot id on our own topic is another device. What was retained there at the first connection is of an earlier life; at a later
   * one it is a sign only, since a broker that was cut off knows what it knew when it last saved. A `lost` that comes late is the last word
   * of an earlier life, or of a connection before this one: it must not stand.
   */
  stateHeard(payload: Buffer, retained: boolean): void {
    if (payload.length === 0 || (retained && !this.#saidEarlier)) return;
    const parsed = parse(payload);
    const said = 'value' in parsed ? (parsed.value as { boot?: unknown; state?: unknown } | null) : null;
    if (typeof said?.boot !== 'string') return;
    if (said.state === 'lost' && !retained) return this.events.buried();
    if (said.boot === this.boot) return;
    if (retained) this.#sign();
    else this.#find();
  }

  #sign(): void {
    const now = this.clock.now();
    this.#signs = [...this.#signs.filter((at) => now - at < signsMs), now];
    if (this.#signs.length >= maxSigns) this.#find();
  }

  #find(): void {
    this.#signs = [];
    this.#said = false;
    this.#saidEarlier = false;
    this.events.found();
  }
}
