/** What a file's FLV tags say about it: codec headers, frame rate, and how far apart its keyframes are. */
import {
  compositionOf,
  isAacHeader,
  isAvcHeader,
  isEndOfSequence,
  isKeyframe,
  isSequenceHeader,
  isVideo,
  payloadOf,
  TagCutter,
  timestampOf,
  type Tag,
} from '../../formats/flv/tag.js';

/** Fed with FLV in whatever pieces it comes. All times in seconds. */
export class Scan {
  /** AVC decoder configuration record and AudioSpecificConfig, as hexadecimal text. */
  avcc?: string;
  asc?: string;
  frames = 0;
  /** False where the scan was cut short. */
  whole = true;
  readonly #cutter = new TagCutter();
  #first = 0;
  #last = 0;
  #keyframe: number | undefined;
  #longest = 0;

  push(chunk: Buffer): void {
    for (const piece of this.#cutter.push(chunk)) if (!piece.begin) this.#tag(piece.tag);
  }

  #tag(tag: Tag): void {
    if (isAvcHeader(tag)) this.avcc ??= payloadOf(tag).toString('hex');
    if (isAacHeader(tag)) this.asc ??= payloadOf(tag).toString('hex');
    if (!isVideo(tag) || isSequenceHeader(tag) || isEndOfSequence(tag)) return;
    // When it is shown, not when it is decoded: decode times before 0, which B-frames bring, are clamped by the muxer.
    const time = (timestampOf(tag) + compositionOf(tag)) / 1000;
    this.#first = this.frames++ === 0 ? time : Math.min(this.#first, time);
    this.#last = Math.max(this.#last, time);
    if (!isKeyframe(tag)) return;
    this.#longest = Math.max(this.#longest, time - (this.#keyframe ?? this.#first));
    this.#keyframe = time;
  }

  /** From the first picture to the last. */
  get seconds(): number {
    return this.#last - this.#first;
  }

  /** Pictures a second; undefined where there are too few to tell. */
  get fps(): number | undefined {
    return this.frames > 1 && this.seconds > 0 ? (this.frames - 1) / this.seconds : undefined;
  }

  /** The longest that anyone who tunes in has to wait for a keyframe: before the first and after the last one counts too. */
  get keyframeSeconds(): number {
    const longest = Math.max(this.#longest, this.#last - (this.#keyframe ?? this.#first));
    return Math.round(longest * 1000) / 1000;
  }
}
