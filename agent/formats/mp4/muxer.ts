/** FLV tags into fragmented MP4: cuts fragments and files, and keeps every time as the hub had it. Pure. */
import { sizeOf } from '../flv/metadata.js';
import {
  compositionOf,
  isAvcHeader,
  isEndOfSequence,
  isKeyframe,
  isSequenceHeader,
  isVideo,
  scriptTag,
  payloadOf,
  type Tag,
} from '../flv/tag.js';
import { fragment, type Sample } from './fragment.js';
import { audioTrack, fileHeader, soundOf, videoScale, videoTrack, type Codecs } from './header.js';

/** What is lost in a power cut is less than this; each costs an fsync, and a card wears out by those. */
const maxFragmentMs = 2000;
/** A keyframe begins a fragment, so that it can be played alone; but not where that would mean two fsyncs a second. */
const minFragmentMs = 1000;
/** Keyframes every 2 s are so to the frame only: one that is a little late is still waited for. */
const lateKeyframeMs = 100;
/** AAC-LC, the only one that is made here, holds so many samples a frame. */
const frameSamples = 1024;
/** FLV rounds the time of each frame of sound to a millisecond; what is nearer than this to where it should be, is there. */
const roundingMs = 2;

/** A piece of a file, to be written whole. */
export interface Fragment {
  /** Counts the files from 1. */
  readonly file: number;
  /** Where a new file begins with it: when, in milliseconds since 1970, as the clock of the machine has it. */
  readonly bornMs?: number;
  /** Bytes of the file's header that stand ahead of it. */
  readonly headerBytes: number;
  /** Its place on the hub's timeline. */
  readonly atMs: number;
  readonly bytes: Buffer;
  /** Pictures in it. */
  readonly frames: number;
}

interface Held {
  readonly tag: Tag;
  readonly atMs: number;
  readonly start: number;
}

/** A sample is complete when the next one has come and so says how long it lasts. */
class Track {
  held: Held | undefined;
  samples: Sample[] = [];

  constructor(
    readonly id: number,
    readonly scale: number,
    private readonly frame: number | undefined,
  ) {}

  /** Where a tag stands in the file that began at `baseMs`. */
  place(atMs: number, baseMs: number): number {
    const measured = Math.round(((atMs - baseMs) * this.scale) / 1000);
    if (!this.held) return measured;
    const expected = this.held.start + (this.frame ?? 0);
    const isThere = this.frame !== undefined && Math.abs(measured - expected) <= (roundingMs * this.scale) / 1000;
    return isThere ? expected : Math.max(this.held.start + 1, measured);
  }

  /** What was held lasts until `end`; without one, as long as the one before. */
  complete(end?: number): void {
    if (!this.held) return;
    const { tag, start } = this.held;
    const usual = this.frame ?? this.samples.at(-1)?.duration ?? Math.round(this.scale / 30);
    const picture = isVideo(tag);
    this.samples.push({
      start,
      duration: end === undefined ? usual : end - start,
      composition: picture ? compositionOf(tag) : 0,
      sync: !picture || isKeyframe(tag),
      data: payloadOf(tag),
    });
    this.held = undefined;
  }

  take(): Sample[] {
    const { samples } = this;
    this.samples = [];
    return samples;
  }
}

interface File {
  readonly number: number;
  readonly codecs: Codecs;
  /** What its times count from. */
  readonly baseMs: number;
  readonly video: Track;
  readonly audio: Track | undefined;
  readonly bornMs: number;
  fragments: number;
  /** Where the fragment that is being filled begins. */
  atMs: number;
}

export class Muxer {
  #latest: Partial<Codecs> = {};
  #file: File | undefined;
  #files = 0;
  #split = false;

  /** A file is ended at the first keyframe after `maxFileMs`. `wallMs`: the clock of the machine, since 1970; for people only. */
  constructor(
    public maxFileMs: number,
    private readonly wallMs: () => number,
  ) {}

  /** The next keyframe begins a new file, if this one is still being filled. */
  split(file: number): void {
    this.#split ||= this.#file?.number === file;
  }

  /** What is finished now that `tag` has come, in order. Tags must come as the hub gives them; headers may come again. */
  add(tag: Tag, atMs: number): Fragment[] {
    if (tag[0] === scriptTag) {
      this.#latest = { ...this.#latest, ...sizeOf(tag) };
      return [];
    }
    if (isSequenceHeader(tag)) {
      // A copy: the tag is a part of what was read from the socket, which would stay in memory as a whole.
      const body = Buffer.from(payloadOf(tag));
      this.#latest = { ...this.#latest, [isAvcHeader(tag) ? 'avc' : 'aac']: body };
      return [];
    }
    // It holds no picture, and players give up a file with a sample of nothing.
    if (isEndOfSequence(tag)) return [];
    return isVideo(tag) ? this.#picture(tag, atMs) : this.#sound(tag, atMs);
  }

  /** What has been complete so far, as a fragment: for when nothing comes any more. */
  flush(): Fragment[] {
    const file = this.#file;
    return file ? this.#cut(file, file.video.held!.atMs) : [];
  }

  /** The rest; the next keyframe begins a new file. */
  end(): Fragment[] {
    const file = this.#file;
    if (!file) return [];
    this.#file = undefined;
    file.video.complete();
    file.audio?.complete();
    return this.#cut(file, file.atMs);
  }

  #picture(tag: Tag, atMs: number): Fragment[] {
    const file = this.#file;
    const key = isKeyframe(tag);
    if (!file) return key ? this.#open(tag, atMs, undefined) : [];
    const isNew = !this.#fits(file.codecs);
    if (!key && isNew) return [];
    const out: Fragment[] = [];
    const start = file.video.place(atMs, file.baseMs);
    const isLong = atMs - file.atMs > maxFragmentMs + (key ? lateKeyframeMs : 0);
    if (isLong) out.push(...this.#cut(file, file.video.held!.atMs));
    file.video.complete(start);
    if (key && (isNew || this.#split || atMs - file.baseMs >= this.maxFileMs)) {
      return [...out, ...this.#turn(file, tag, atMs)];
    }
    if (key && atMs - file.atMs >= minFragmentMs) out.push(...this.#cut(file, atMs));
    file.video.held = { tag, atMs, start };
    return out;
  }

  #sound(tag: Tag, atMs: number): Fragment[] {
    const file = this.#file;
    // Before the first picture there is nothing to hear; and what another config made, this file's cannot decode.
    if (!file?.audio || atMs < file.baseMs || !this.#fits(file.codecs)) return [];
    const start = file.audio.place(atMs, file.baseMs);
    file.audio.complete(start);
    file.audio.held = { tag, atMs, start };
    return [];
  }

  /** Ends `file` and begins the next with `tag`. Sound that is still held goes with whichever file it fits. */
  #turn(file: File, tag: Tag, atMs: number): Fragment[] {
    const held = file.audio?.held;
    const goesOn = held && this.#fits(file.codecs) && Math.abs(atMs - held.atMs) <= lateKeyframeMs;
    if (goesOn) file.audio!.held = undefined;
    return [...this.end(), ...this.#open(tag, atMs, goesOn ? held : undefined)];
  }

  #open(tag: Tag, atMs: number, sound: Held | undefined): Fragment[] {
    const { avc, aac, width = 0, height = 0 } = this.#latest;
    if (!avc) return [];
    const codecs: Codecs = { avc, width, height, ...(aac && { aac }) };
    const baseMs = Math.min(atMs, sound?.atMs ?? atMs);
    const video = new Track(videoTrack, videoScale, undefined);
    const audio = aac && new Track(audioTrack, soundOf(aac).rate, frameSamples);
    video.held = { tag, atMs, start: video.place(atMs, baseMs) };
    if (audio && sound) audio.held = { ...sound, start: 0 };
    this.#files += 1;
    this.#file = {
      number: this.#files,
      codecs,
      baseMs,
      video,
      audio,
      bornMs: this.wallMs(),
      fragments: 0,
      atMs: baseMs,
    };
    this.#split = false;
    return [];
  }

  #fits({ avc, aac, width, height }: Codecs): boolean {
    const latest = this.#latest;
    const same = (one?: Buffer, other?: Buffer): boolean => one === other || (!!one && !!other && one.equals(other));
    const sized = width === (latest.width ?? 0) && height === (latest.height ?? 0);
    return sized && same(avc, latest.avc) && same(aac, latest.aac);
  }

  /** `nextMs`: where the next fragment begins. */
  #cut(file: File, nextMs: number): Fragment[] {
    const runs = [file.video, ...(file.audio ? [file.audio] : [])].map((track) => ({
      track: track.id,
      samples: track.take(),
    }));
    const frames = runs[0]!.samples.length;
    const atMs = file.atMs;
    file.atMs = nextMs;
    if (runs.every(({ samples }) => samples.length === 0)) return [];
    file.fragments += 1;
    const bytes = fragment(file.fragments, runs);
    if (file.fragments > 1) return [{ file: file.number, headerBytes: 0, atMs, bytes, frames }];
    const { number, bornMs } = file;
    const header = fileHeader(file.codecs, bornMs);
    return [{ file: number, bornMs, headerBytes: header.length, atMs, bytes: Buffer.concat([header, bytes]), frames }];
  }
}
