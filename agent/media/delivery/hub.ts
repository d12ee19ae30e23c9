/** The switchboard of FLV tags: one timeline in, every output out. Keeps what a new output needs to join. */
import { formatOf, metadataTag, type StreamFormat } from '../../formats/flv/metadata.js';
import {
  fileHeader,
  isAvcHeader,
  isEndOfSequence,
  isKeyframe,
  isSequenceHeader,
  isVideo,
  scriptTag,
  type Piece,
  type Tag,
} from '../../formats/flv/tag.js';
import type { HubStatus } from '../messages.js';
import { Rate } from './rate.js';
import { Timeline, type Placed } from './timeline.js';

/** What an output gets of the hub. */
export interface Subscriber {
  /** Tags in order; headers of a new format among them. */
  offer(tags: readonly Placed[]): void;
}

/** A group of pictures longer than this is not kept for joining: 4 s at 16 Mbit/s. */
const maxGroupBytes = 8_000_000;

export class Hub {
  readonly #timeline = new Timeline();
  readonly #subscribers = new Set<Subscriber>();
  readonly #headers: { metadata?: Tag; video?: Tag; audio?: Tag } = {};
  /** From the last keyframe on; empty where there is none or it grew too long. */
  #group: Placed[] = [];
  #keyframe: Tag | undefined;
  #groupBytes = 0;
  #frames = 0;
  #bytes = 0;
  #splices = 0;
  #keyframeSeconds = 0;
  #isEncoded = false;
  #lastKeyframeMs = 0;
  readonly #frameRate: Rate;
  readonly #byteRate: Rate;

  /** `now`: milliseconds of a steady clock. */
  constructor(private readonly now: () => number) {
    this.#frameRate = new Rate(now);
    this.#byteRate = new Rate(now);
  }

  subscribe(subscriber: Subscriber): void {
    this.#subscribers.add(subscriber);
  }

  unsubscribe(subscriber: Subscriber): void {
    this.#subscribers.delete(subscriber);
  }

  /** Milliseconds by which sound goes out later; true where a keyframe is wanted to go on with the picture. */
  delay(audioMs: number): boolean {
    return this.#timeline.delay(audioMs);
  }

  /** What came from capture in one read. */
  accept(pieces: Iterable<Piece>): void {
    const now = this.now();
    const out: Placed[] = [];
    for (const piece of pieces) {
      if (piece.begin) {
        this.#timeline.begin();
        this.#splices += 1;
      } else if (piece.tag[0] === scriptTag) {
        this.#describe(piece.tag, out);
      } else if (!isEndOfSequence(piece.tag)) {
        // A file ends, and the broadcast goes on: to a server it would mean that nothing follows.
        if (isVideo(piece.tag) && !isSequenceHeader(piece.tag)) this.#frames += 1;
        for (const placed of this.#timeline.place(piece.tag, now)) if (this.#keep(placed)) out.push(placed);
      }
    }
    if (out.length === 0) return;
    for (const subscriber of this.#subscribers) subscriber.offer(out);
  }

  /** Headers and, from the last keyframe on, what has passed: with it, a new output shows a picture at once. */
  join(): Placed[] {
    const first = this.#group[0];
    return first ? [...this.headers(first.atMs), ...this.#group] : [];
  }

  /** An encoder that is asked for a bitrate makes the picture; else it passes through as it comes. */
  get isEncoded(): boolean {
    return this.#isEncoded;
  }

  /** An FLV file of the last keyframe alone, its header before it. */
  picture(): Buffer | undefined {
    const { video } = this.#headers;
    return video && this.#keyframe && Buffer.concat([fileHeader, video, this.#keyframe]);
  }

  /** Metadata and sequence headers, as they must precede a keyframe. */
  headers(atMs: number): Placed[] {
    const { metadata, video, audio } = this.#headers;
    return [metadata, video, audio].filter((tag) => tag !== undefined).map((tag) => ({ tag, atMs }));
  }

  status(): HubStatus {
    return {
      frames: this.#frames,
      fps: Math.round(this.#frameRate.perSecond(this.#frames) * 10) / 10,
      kbps: Math.round((this.#byteRate.perSecond(this.#bytes) * 8) / 1000),
      // One that never comes is no better than one that comes late.
      keyframeSeconds: Math.max(this.#keyframeSeconds, (this.#timeline.reachedMs - this.#lastKeyframeMs) / 1000),
      splices: this.#splices,
    };
  }

  #describe(tag: Tag, out: Placed[]): void {
    const format: StreamFormat | undefined = formatOf(tag);
    if (!format) return; // flvmux's own: 20 in the first two seconds, the first without a width.
    this.#isEncoded = format.videoKbps !== undefined;
    const metadata = metadataTag(format);
    if (this.#headers.metadata?.equals(metadata)) return;
    this.#headers.metadata = metadata;
    out.push({ tag: metadata, atMs: this.#timeline.reachedMs });
  }

  /** Books `placed`; false where it says nothing new. */
  #keep(placed: Placed): boolean {
    const { tag } = placed;
    if (isSequenceHeader(tag)) {
      const track = isAvcHeader(tag) ? 'video' : 'audio';
      const known = this.#headers[track];
      if (known && sameBody(known, tag)) return false;
      this.#headers[track] = tag;
      return true;
    }
    this.#bytes += tag.length;
    if (isKeyframe(tag)) {
      this.#keyframeSeconds = (placed.atMs - this.#lastKeyframeMs) / 1000;
      this.#lastKeyframeMs = placed.atMs;
      this.#keyframe = tag;
      this.#group = [];
      this.#groupBytes = 0;
    }
    this.#groupBytes += tag.length;
    if (this.#groupBytes > maxGroupBytes) this.#group = [];
    else this.#group.push(placed);
    return true;
  }
}

/** The same but for the time that is written into it. */
function sameBody(one: Tag, other: Tag): boolean {
  return one.subarray(8).equals(other.subarray(8));
}
