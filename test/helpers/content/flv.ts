/** FLV for the tests' own use, independent of the code under test: cutting a file into tags, writing one, what a tag is. */

export interface MediaTag {
  /** 8 audio, 9 video, 18 script data. */
  readonly type: number;
  /** Decode time in milliseconds. */
  readonly timestamp: number;
  readonly body: Buffer;
}

export interface ArrivedTag extends MediaTag {
  /** When its last byte was here: milliseconds of `Date.now()`'s clock, with fractions. */
  readonly at: number;
}

/** Wall clock with fractions of a millisecond. */
export const wallClock = (): number => performance.timeOrigin + performance.now();

export const isVideoKey = (tag: MediaTag): boolean => tag.type === 9 && tag.body[0]! >> 4 === 1 && tag.body[1] === 1;
export const isPicture = (tag: MediaTag): boolean => tag.type === 9 && tag.body[1] === 1;
export const isVideoHeader = (tag: MediaTag): boolean =>
  tag.type === 9 && (tag.body[0]! & 15) === 7 && tag.body[1] === 0;
export const isSound = (tag: MediaTag): boolean => tag.type === 8 && tag.body[1] === 1;
export const isAudioHeader = (tag: MediaTag): boolean =>
  tag.type === 8 && tag.body[0]! >> 4 === 10 && tag.body[1] === 0;

/** How much later than the soonest of its session each picture came, by its own time: what waits on the way. */
export function lags(tags: readonly ArrivedTag[]): { readonly at: number; readonly ms: number }[] {
  const late = tags.filter(isPicture).map(({ at, timestamp }) => ({ at, ms: at - timestamp }));
  const least = late.reduce((soonest, { ms }) => Math.min(soonest, ms), Infinity);
  return late.map(({ at, ms }) => ({ at, ms: ms - least }));
}

/** Milliseconds of stream time from each picture to the next. */
export function pictureGaps(tags: readonly MediaTag[]): number[] {
  const times = tags.filter(isPicture).map(({ timestamp }) => timestamp);
  return times.slice(1).map((time, index) => time - times[index]!);
}

/**
 * Without a picture for so many milliseconds a broadcast has broken off. A splice takes some tenths of a second, and a machine that
 * stands still for a moment is dark for as long; how short it is to be is measured by bench/recovery.
 */
export const darkMs = 5000;

/** What a splice usually takes: the median of as many of the longest gaps as there were splices. */
export function usualSplice(gaps: readonly number[], splices: number): number {
  const longest = gaps.toSorted((a, b) => b - a).slice(0, splices);
  return longest[Math.floor(longest.length / 2)]!;
}

/** By how many milliseconds the soonest of one kind came, by its own time: what arrives soonest was delayed least. */
export const shortestWay = (tags: readonly ArrivedTag[], kind: (tag: MediaTag) => boolean = isPicture): number =>
  tags.filter(kind).reduce((soonest, { at, timestamp }) => Math.min(soonest, at - timestamp), Infinity);

/**
 * By how many milliseconds the way of the pictures of the second half was longer than that of the first, each by the one that was
 * delayed least: what a stream's clock is off by, and not by a moment in which something waited.
 */
export function drift(tags: readonly ArrivedTag[]): number {
  const middle = (tags[0]!.timestamp + tags.at(-1)!.timestamp) / 2;
  const [early, late] = [true, false].map((isEarly) => tags.filter(({ timestamp }) => timestamp < middle === isEarly));
  return Math.round(shortestWay(late!) - shortestWay(early!));
}

/** Bytes of an FLV file that holds `tags`. */
export function flvFile(tags: readonly MediaTag[]): Buffer {
  const parts: Buffer[] = [Buffer.from([0x46, 0x4c, 0x56, 1, 5, 0, 0, 0, 9, 0, 0, 0, 0])];
  for (const tag of tags) {
    const head = Buffer.alloc(11);
    head[0] = tag.type;
    head.writeUIntBE(tag.body.length, 1, 3);
    head.writeUIntBE(tag.timestamp & 0xffffff, 4, 3);
    head[7] = tag.timestamp >>> 24;
    const tail = Buffer.alloc(4);
    tail.writeUInt32BE(tag.body.length + 11);
    parts.push(head, tag.body, tail);
  }
  return Buffer.concat(parts);
}

/** The whole tags of an FLV file; one that is cut off at the end is left out. */
export function flvTags(file: Buffer): MediaTag[] {
  if (file.subarray(0, 3).toString('latin1') !== 'FLV') throw new Error('not an FLV file');
  const tags: MediaTag[] = [];
  let at = file.readUInt32BE(5) + 4;
  while (at + 11 <= file.length) {
    const size = file.readUIntBE(at + 1, 3);
    if (at + 11 + size > file.length) break;
    const timestamp = (file.readUIntBE(at + 4, 3) | (file[at + 7]! << 24)) >>> 0;
    tags.push({ type: file[at]!, timestamp, body: file.subarray(at + 11, at + 11 + size) });
    at += 11 + size + 4;
  }
  return tags;
}
