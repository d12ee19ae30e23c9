/** A card that was cloned shows itself: another boot id on our own `state`, or two devices that push each other off the broker. */
import type { Clock } from '../../clock.js';
import { parse } from './payload.js';

/** Taken over so often within a minute: two devices push each other out. */
const mostTakeovers = 2;
const takeoverMs = 60_000;

export class Clones {
  /** Our state was published over this connection; over one before it. */
  #said = false;
  #saidEarlier = false;
  #takeovers: number[] = [];

  /** `found`: another device goes by our id. `buried`: `lost` stands at the broker in place of our state. */
  constructor(
    private readonly boot: string,
    private readonly clock: Clock,
    private readonly events: { readonly found: () => void; readonly buried: () => void },
  ) {}

  /** Another broker, where nothing of ours is. */
  elsewhere(): void {
    this.#said = false;
  }

  connected(): void {
    this.#saidEarlier = this.#said;
  }

  /** Our state stands at the broker. */
  stateSaid(): void {
    this.#said = true;
  }

  takenOver(): void {
    const now = this.clock.now();
    this.#takeovers = [...this.#takeovers.filter((at) => now - at < takeoverMs), now];
    if (this.#takeovers.length >= mostTakeovers) this.#find();
  }

  /**
   * Another boot id on our own topic is another device. What was retained there at the first connection is of an earlier life, and a
   * `lost` that comes late is the last word of one, or of a connection before this one: it must not stand.
   */
  stateHeard(payload: Buffer, retained: boolean): void {
    if (payload.length === 0 || (retained && !this.#saidEarlier)) return;
    const parsed = parse(payload);
    const said = 'value' in parsed ? (parsed.value as { boot?: unknown; state?: unknown } | null) : null;
    if (typeof said?.boot !== 'string') return;
    if (said.state === 'lost' && !retained) return this.events.buried();
    if (said.boot !== this.boot) this.#find();
  }

  #find(): void {
    this.#takeovers = [];
    this.#said = false;
    this.#saidEarlier = false;
    this.events.found();
  }
}
