/** What the operator wants on the air, in the pipelines' own words: the settings that shape a pipeline, and nothing else. */

/** Names that `video.encoder` takes besides `auto`; `passthrough` insists on the source's own H.264. */
export type EncoderName = 'x264enc' | 'openh264enc' | 'v4l2h264enc' | 'omxh264enc';

export interface WantedVideo {
  /** `auto`, `test`, `file`, or a camera by device path, by-id name or USB path (such as `1-1.2`). */
  readonly source: string;
  /** Media files, in playing order; used when `source` is `file`. Absolute paths. */
  readonly files: readonly string[];
  /** Start the playlist again after its last file. */
  readonly loop: boolean;
  /** Picture of the `test` source: bars with a clock, a moving ball, or a flash that coincides with a beep each second. */
  readonly testPattern: 'bars' | 'ball' | 'sync';
  readonly width: number;
  readonly height: number;
  /** Frames a second. */
  readonly fps: number;
  /** kbit/s of the encoder; a pass-through source keeps its own. */
  readonly bitrateKbps: number;
  /** Seconds from one keyframe to the next. */
  readonly keyframeSeconds: number;
  readonly encoder: 'auto' | 'passthrough' | EncoderName;
}

export interface WantedAudio {
  /** `auto`, `test`, `none`, or an ALSA card id such as `C920`. */
  readonly source: string;
  /** Hz of the broadcast: 44100 or 48000. */
  readonly rate: number;
  /** 1 or 2. */
  readonly channels: number;
  /** kbit/s of AAC-LC. */
  readonly bitrateKbps: number;
  /** dB, -60 to 20; 0 leaves the sound as it is. */
  readonly gainDb: number;
  readonly mute: boolean;
}

export interface Wanted {
  readonly video: WantedVideo;
  readonly audio: WantedAudio;
}
