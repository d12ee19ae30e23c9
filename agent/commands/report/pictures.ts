/** What a stream is really like: counted in its FLV tags as they come, much as ffprobe counts packets. */
import {
  isAudio,
  isAvcHeader,
  isEndOfSequence,
  isKeyframe,
  isSequenceHeader,
  isVideo,
  payloadOf,
  timestampOf,
  type Tag,
} from '../../formats/flv/tag.js';

/** From one keyframe to the next. */
export interface Distance {
  readonly pictures: number;
  readonly seconds: number;
}

export interface Counted {
  readonly pictures: number;
  /** From the first picture to the last, by the times that they carry. */
  readonly seconds: number;
  /** Pictures a second; absent where there are fewer than two. */
  readonly fps?: number;
  readonly keyframes: number;
  /** In order; the last `longest` of them. */
  readonly distances: readonly Distance[];
  /** Without another keyframe at the end. */
  readonly since?: Distance;
  /** kbit/s, without what the container adds. */
  readonly videoKbps?: number;
  readonly audioKbps?: number;
  readonly largestBytes: number;
  /** The longest time from one picture to the next, in seconds. */
  readonly gapSeconds: number;
  /** Such as `High 3.1`; absent until the header has come. */
  readonly h264?: string;
}

/** As many as an hour has, one every two seconds. */
const longest = 1800;

const profiles: Readonly<Record<number, string>> = {
  66: 'Baseline',
  77: 'Main',
  88: 'Extended',
  100: 'High',
  110: 'High 10',
  122: 'High 4:2:2',
};

const rounded = (value: number, digits: number): number => Number(value.toFixed(digits));

export class Pictures {
  #pictures = 0;
  #keyframes = 0;
  #bytes = 0;
  #audioBytes = 0;
  #largest = 0;
  #first = 0;
  #last = 0;
  #gap = 0;
  #key: { readonly at: number; readonly picture: number } | undefined;
  #h264: string | undefined;
  readonly #distances: Distance[] = [];

  take(tag: Tag): void {
    if (isAvcHeader(tag)) this.#h264 = named(payloadOf(tag));
    if (isSequenceHeader(tag)) return;
    if (isAudio(tag)) this.#audioBytes += payloadOf(tag).length;
    if (!isVideo(tag) || isEndOfSequence(tag)) return;
    const at = timestampOf(tag) / 1000;
    const bytes = payloadOf(tag).length;
    if (this.#pictures === 0) this.#first = at;
    else this.#gap = Math.max(this.#gap, at - this.#last);
    this.#last = at;
    this.#bytes += bytes;
    this.#largest = Math.max(this.#largest, bytes);
    if (isKeyframe(tag)) {
      const since = this.#since(at);
      if (since) this.#distances.push(since);
      if (this.#distances.length > longest) this.#distances.shift();
      this.#key = { at, picture: this.#pictures };
      this.#keyframes += 1;
    }
    this.#pictures += 1;
  }

  #since(at: number): Distance | undefined {
    const key = this.#key;
    return key && { pictures: this.#pictures - key.picture, seconds: rounded(at - key.at, 3) };
  }

  get counted(): Counted {
    const seconds = this.#last - this.#first;
    const rate = (bytes: number): number => Math.round((bytes * 8) / seconds / 1000);
    const since = this.#since(this.#last);
    return {
      pictures: this.#pictures,
      seconds: rounded(seconds, 3),
      ...(seconds > 0 && {
        fps: rounded((this.#pictures - 1) / seconds, 2),
        videoKbps: rate(this.#bytes),
        audioKbps: rate(this.#audioBytes),
      }),
      keyframes: this.#keyframes,
      distances: [...this.#distances],
      ...(since && { since }),
      largestBytes: this.#largest,
      gapSeconds: rounded(this.#gap, 3),
      ...(this.#h264 !== undefined && { h264: this.#h264 }),
    };
  }
}

/** Profile and level of an AVCDecoderConfigurationRecord (ISO/IEC 14496-15): its second to fourth byte. */
function named(record: Buffer): string | undefined {
  const [, profile, constraints, level] = record;
  if (profile === undefined || constraints === undefined || level === undefined) return undefined;
  const constrained = profile === 66 && (constraints & 0x40) !== 0 ? 'Constrained ' : '';
  return `${constrained}${profiles[profile] ?? `profile ${profile}`} ${level / 10}`;
}
