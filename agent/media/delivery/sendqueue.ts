/** What waits for a server: tags not yet given to its connection, and tags that were, until they are acknowledged. Pure. */
import { isKeyframe, isSequenceHeader, isVideo, type Tag } from '../../formats/flv/tag.js';
import type { Placed } from './timeline.js';

/** Whether `tag` is a picture, which a sequence header is not. */
export const isPicture = (tag: Tag): boolean => isVideo(tag) && !isSequenceHeader(tag);

interface Waiting extends Placed {
  /** When it came. Not by its own time: of one batch sound and picture may be 0.2 s apart. */
  readonly since: number;
}

interface Given {
  readonly atMs: number;
  readonly bytes: number;
  readonly since: number;
}

export class SendQueue {
  #waiting: Waiting[] = [];
  /** Oldest first. */
  #given: Given[] = [];
  #givenBytes = 0;

  /** `tags` came at `now`, in ms of any steady clock. */
  add(tags: readonly Placed[], now: number): void {
    for (const { tag, atMs } of tags) this.#waiting.push({ tag, atMs, since: now });
  }

  clear(): void {
    this.#waiting = [];
    this.#given = [];
    this.#givenBytes = 0;
  }

  /** The next tag for the connection. */
  take(): Placed | undefined {
    const next = this.#waiting.shift();
    if (!next) return undefined;
    this.#given.push({ atMs: next.atMs, bytes: next.tag.length, since: next.since });
    this.#givenBytes += next.tag.length;
    return next;
  }

  /** What is not acknowledged: the `tags` that were given last, and before them those that make up `bytes`. */
  acknowledge(tags: number, bytes: number): void {
    let first = Math.max(0, this.#given.length - tags);
    for (let rest = bytes; rest > 0 && first > 0; first -= 1) rest -= this.#given[first - 1]!.bytes;
    for (const { bytes: gone } of this.#given.splice(0, first)) this.#givenBytes -= gone;
  }

  /** Gives up all that waits before the newest keyframe, and puts `headers` before that; how many pictures that were. */
  shed(headers: (atMs: number) => readonly Placed[]): number {
    const newest = this.#waiting.findLastIndex(({ tag }) => isKeyframe(tag));
    if (newest <= 0) return 0;
    const gone = this.#waiting.slice(0, newest).filter(({ tag }) => isPicture(tag)).length;
    if (gone === 0) return 0;
    const { atMs, since } = this.#waiting[newest]!;
    this.#waiting = [...headers(atMs).map((header) => ({ ...header, since })), ...this.#waiting.slice(newest)];
    return gone;
  }

  /** Nothing that was given waits for an acknowledgement. */
  get isAcknowledged(): boolean {
    return this.#given.length === 0;
  }

  get isEmpty(): boolean {
    return this.#waiting.length === 0 && this.isAcknowledged;
  }

  /** Milliseconds of media that were given and are not acknowledged. */
  get aheadMs(): number {
    return span(this.#given);
  }

  /** Bytes of it. */
  get aheadBytes(): number {
    return this.#givenBytes;
  }

  /** Milliseconds of media that were not given. */
  get waitingMs(): number {
    return span(this.#waiting);
  }

  /** How far the server is behind at `now`: how long the oldest tag waits that it has not acknowledged. */
  behindMs(now: number): number {
    const oldest = this.#given[0] ?? this.#waiting[0];
    return oldest ? Math.max(0, now - oldest.since) : 0;
  }

  /** The same for what was given, and cannot be taken back. */
  givenBehindMs(now: number): number {
    return this.isAcknowledged ? 0 : this.behindMs(now);
  }
}

function span(tags: readonly { readonly atMs: number }[]): number {
  const first = tags[0];
  const last = tags.at(-1);
  return first && last ? Math.max(0, last.atMs - first.atMs) : 0;
}
