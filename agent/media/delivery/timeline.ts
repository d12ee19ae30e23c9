/** One continuous timeline out of streams that come and go: where each FLV tag stands in milliseconds since the broadcast began. Pure. */
import {
  compositionOf,
  isAvcHeader,
  isAacHeader,
  isAudio,
  isKeyframe,
  isSequenceHeader,
  setComposition,
  timestampOf,
  type Tag,
} from '../../formats/flv/tag.js';

/**
 * `flvmux` writes decode times before 0, with which every file with B-frames begins, as 0: several pictures then have the same.
 * H.264 lets at most 16 pictures be decoded ahead, so moving each 1 ms behind the one before never adds up to more than this.
 */
const crowdedMs = 16;

/** A tag and its place. */
export interface Placed {
  readonly tag: Tag;
  /** Milliseconds since the epoch of the timeline; never falls within a track. */
  readonly atMs: number;
}

/**
 * Splices streams: each begins at its first keyframe, at `max(last + 1, now - epoch)`, with one offset for both tracks. Anchored
 * to the epoch, not chained by arrival: chained, 20 replans drifted by -141 to +117 ms. What comes before that keyframe is
 * dropped (sound without a picture would stand at times that the picture then overtakes); sequence headers wait for it.
 */
export class Timeline {
  #epoch: number | undefined;
  #offset = 0;
  #begun = false;
  /** By the type of their tags. */
  #headers = new Map<number, Tag>();
  /** Highest place given so far, by track. */
  #last = { audio: -1, video: -1 };
  /** The stream's clock at its last tag, however often its 32 bits have gone round. */
  #clock = 0;
  /** Delays of the tracks: one of the two is 0. */
  #delay = { audio: 0, video: 0 };
  /** Tags of the delayed track, until the other one has come to where they stand. */
  #held: Placed[] = [];
  #reached = 0;
  /** A video track that moved to an earlier place must wait for a keyframe: no picture may follow one that it does not know. */
  #videoNeedsKeyframe = false;

  /** A new stream follows: its clock starts again. */
  begin(): void {
    this.#begun = false;
    this.#headers.clear();
  }

  /** Sound later by `audioMs`, or, where negative, the picture. True: the picture is cut until the next keyframe. */
  delay(audioMs: number): boolean {
    const video = Math.max(0, -audioMs);
    const cut = video < this.#delay.video;
    this.#videoNeedsKeyframe ||= cut;
    this.#delay = { audio: Math.max(0, audioMs), video };
    return cut;
  }

  /** What may go out now, in order, now that `tag` has come at `nowMs` (any steady clock). */
  place(tag: Tag, nowMs: number): Placed[] {
    if (!this.#begun) {
      if (isSequenceHeader(tag)) this.#headers.set(tag[0]!, tag);
      if (!isKeyframe(tag)) return [];
      this.#begun = true;
      this.#epoch ??= nowMs;
      this.#clock = timestampOf(tag);
      const last = Math.max(this.#last.audio - this.#delay.audio, this.#last.video - this.#delay.video);
      this.#offset = Math.max(last + 1, Math.round(nowMs - this.#epoch)) - this.#clock;
      const at = this.#offset + this.#clock;
      const headers = [...this.#headers.values()].flatMap((header) => this.#release(header, at));
      return [...headers, ...this.#release(tag, at)];
    }
    // Of a difference of 32 bits, the nearer way round.
    this.#clock += (timestampOf(tag) - this.#clock) | 0;
    return this.#release(tag, this.#offset + this.#clock);
  }

  /** Where the timeline stands: the highest place of a tag that was not delayed. */
  get reachedMs(): number {
    return this.#reached;
  }

  #release(tag: Tag, at: number): Placed[] {
    const track = isAudio(tag) ? 'audio' : 'video';
    const delay = this.#delay[track];
    if (delay === 0) this.#reached = Math.max(this.#reached, at);
    const out: Placed[] = [];
    while (this.#held[0] && this.#held[0].atMs <= this.#reached) out.push(this.#held.shift()!);
    // Whoever begins with the first keyframe has to know by then what both tracks are, however late one of them comes.
    const isFirst = isSequenceHeader(tag) && this.#last[track] < 0;
    const placed = this.#admit(tag, track, isFirst ? at : at + delay);
    if (placed) (delay === 0 || isFirst ? out : this.#held).push(placed);
    return out;
  }

  #admit(tag: Tag, track: 'audio' | 'video', atMs: number): Placed | undefined {
    if (isAvcHeader(tag) || isAacHeader(tag)) return { tag, atMs: Math.max(atMs, this.#last[track]) };
    const late = this.#last[track] + 1 - atMs;
    if (track === 'video' && late > 0 && late <= crowdedMs && !this.#videoNeedsKeyframe) {
      // Decoded a little later, and shown when it was to be shown.
      setComposition(tag, compositionOf(tag) - late);
      atMs += late;
    }
    // Two tracks of one stream need not begin in step, and a delay may have been taken back: a track never steps back.
    if (atMs <= this.#last[track]) return undefined;
    if (track === 'video' && this.#videoNeedsKeyframe) {
      if (!isKeyframe(tag)) return undefined;
      this.#videoNeedsKeyframe = false;
    }
    this.#last[track] = atMs;
    return { tag, atMs };
  }
}
