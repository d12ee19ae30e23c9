/** How many kbit/s the encoder is asked for, so that the slowest of the connections that count carries them. Pure. */

/** What one connection shows at a look. */
export interface Carriage {
  /** How far the server is behind. */
  readonly queuedMs: number;
  /** Picture and sound that it acknowledged over the last two seconds. */
  readonly deliveredKbps: number;
}

export interface Bounds {
  readonly fullKbps: number;
  readonly floorKbps: number;
  /** Of what is delivered, this is sound, and cannot be made less. */
  readonly audioKbps: number;
}

/** A connection is behind by its round trip all the time: only what comes on top is a queue. Taken for a round trip at most: */
const maxTripMs = 500;
/** The least of so many looks at one a second: the round trip, which a route may change. */
const tripLooks = 60;
/** A keyframe makes a queue of its own for a moment; what is there at two looks in a row is one. */
const queueMs = 300;
/** A queue this long counts at a single look. */
const muchMs = 1000;
/** Probing for more: a queue this long means no, and one no longer than that means yes. */
const noMs = 150;
const yesMs = 100;
/** After a change the encoder takes a second to follow it, and what is delivered shows it two seconds later. */
const reactionMs = 4000;
/** Part of what was delivered when it was first too little is from before, and too much; so long later, none is. */
const correctMs = 1500;
/** A tenth too much makes a queue of 0.3 s by then. */
const answerMs = 4000;
/** Of what the connection carries: first to let the queue run empty, then to stay with, then to ask whether there is more. */
const drain = 0.75;
const keep = 0.9;
const probe = 1.12;
/** Where there is more, the next step is so much more. */
const climb = 1.25;
const climbMs = 2000;
/** How long to keep to what is known before it is asked again: doubled each time that the answer is no. */
const firstPatienceMs = 4000;
const maxPatienceMs = 16_000;

export class Bitrate {
  #target: number;
  /** What the connection carried when it was last too little; undefined where that is not known, or not true any more. */
  #known: number | undefined;
  /** What is known may be too much. */
  #isRough = false;
  #patienceMs = firstPatienceMs;
  #loweredAt = -Infinity;
  #raisedAt = -Infinity;
  #trips: number[] = [];
  #before = 0;

  constructor(private bounds: Bounds) {
    this.#target = bounds.fullKbps;
  }

  get targetKbps(): number {
    return this.#target;
  }

  /** Other settings, or another plan. */
  within(bounds: Bounds): void {
    const wasFull = this.#target === this.bounds.fullKbps;
    this.bounds = bounds;
    this.#target = wasFull ? bounds.fullKbps : this.#bounded(this.#target);
  }

  /** One look, about once a second; the kbit/s to ask of the encoder from now on. */
  look({ queuedMs, deliveredKbps }: Carriage, nowMs: number): number {
    this.#trips = [...this.#trips.slice(1 - tripLooks), queuedMs];
    const over = queuedMs - Math.min(maxTripMs, ...this.#trips);
    const queue = Math.min(over, this.#before);
    // What runs empty needs no more help, and what little is then delivered says nothing of the connection.
    const grows = over > this.#before * 0.9;
    this.#before = over;
    const probing = this.#known !== undefined && this.#target > this.#known;
    const carried = Math.max(0, deliveredKbps - this.bounds.audioKbps);
    if (probing && queue > noMs) {
      this.#patienceMs = Math.min(maxPatienceMs, this.#patienceMs * 2);
      this.#lower(this.#known! * keep, nowMs);
    } else if (grows && (queue > queueMs || over > muchMs) && nowMs - this.#loweredAt >= reactionMs) {
      // What it carries is all that it can carry: it has more to do than it can.
      this.#known = carried;
      this.#isRough = true;
      this.#lower(Math.min(this.#target, carried * drain), nowMs);
    } else if (this.#isRough && nowMs - this.#loweredAt >= correctMs) {
      this.#isRough = false;
      if (queue <= queueMs || carried >= this.#known!) return this.#target;
      this.#known = carried;
      this.#lower(Math.min(this.#target, carried * drain), nowMs);
    } else if (queue <= yesMs && this.#target < this.bounds.fullKbps) {
      this.#rise(probing, carried, nowMs);
    }
    return this.#target;
  }

  #rise(probing: boolean, carried: number, nowMs: number): void {
    const known = this.#known;
    const since = nowMs - Math.max(this.#loweredAt, this.#raisedAt);
    if (known === undefined) {
      // Another step where this one is delivered already; a picture that needs less than it may have never shows that.
      const isDelivered = carried >= this.#target * keep;
      if (since >= (isDelivered ? climbMs : answerMs)) this.#raise(this.#target * climb, nowMs);
    } else if (probing) {
      if (since < answerMs) return;
      // What was known is not true any more.
      this.#known = undefined;
      this.#patienceMs = firstPatienceMs;
      this.#raise(this.#target * climb, nowMs);
    } else if (this.#target < this.#bounded(known * keep)) {
      if (since >= reactionMs) this.#raise(known * keep, nowMs);
    } else if (since >= this.#patienceMs) {
      this.#raise(Math.max(known, this.bounds.floorKbps) * probe, nowMs);
    }
  }

  #lower(kbps: number, nowMs: number): void {
    this.#target = this.#bounded(kbps);
    this.#loweredAt = nowMs;
  }

  #raise(kbps: number, nowMs: number): void {
    this.#target = this.#bounded(kbps);
    this.#raisedAt = nowMs;
  }

  #bounded(kbps: number): number {
    const { fullKbps, floorKbps } = this.bounds;
    // The last few per cent are worth no step of their own.
    if (kbps > fullKbps * 0.97) return fullKbps;
    return Math.round(Math.min(fullKbps, Math.max(floorKbps, kbps)));
  }
}
