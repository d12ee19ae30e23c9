/** What the operator wants on the air, in the planner's own terms: the settings that shape a pipeline, and nothing else. */

/** Names that `video.encoder` takes besides `auto`; `passthrough` insists on the source's own H.264. */
export type EncoderName = 'x264enc' | 'openh264enc' | 'v4l2h264enc' | 'omxh264enc';

/** How the picture becomes H.264: as the source gives it, or by an encoder. */
export type Way = 'passthrough' | EncoderName;

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
  readonly encoder: 'auto' | Way;
}

/** Knobs of the camera. `driver` leaves one where the camera's driver has it by default. */
export interface WantedCamera {
  readonly horizontalFlip: boolean;
  readonly verticalFlip: boolean;
  /** Degrees, clockwise. */
  readonly rotation: 0 | 90 | 180 | 270;
  /** Milliseconds that each picture is exposed. */
  readonly exposureMs: number | 'auto' | 'driver';
  /** Kelvin. */
  readonly whiteBalance: number | 'auto' | 'driver';
  /** In the driver's own steps; there is no unit. */
  readonly focus: number | 'auto' | 'driver';
  /** In the driver's own steps: 100 is no zoom on a C920. */
  readonly zoom: number | 'driver';
  /** Hz of the mains, against flicker. */
  readonly powerLineHz: 50 | 60 | 'auto' | 'off' | 'driver';
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

/** The card that stands in for a missing picture. */
export interface WantedSlate {
  /** One line or several; empty for the ground alone. */
  readonly text: string;
  /** Absolute path of a picture in place of the text; empty for none. */
  readonly image: string;
}

export interface Wanted {
  readonly video: WantedVideo;
  readonly camera: WantedCamera;
  readonly audio: WantedAudio;
  readonly slate: WantedSlate;
}

/** What of the broadcast's format may be left to the machine; resolved once, when the broadcast starts. */
export interface Format {
  readonly width: number;
  readonly height: number;
  readonly fps: number;
}

/** As the operator says it: `auto` is resolved by what the machine is (`resolveAuto` in choose/defaults.ts). */
export interface Wish {
  readonly video: Omit<WantedVideo, keyof Format | 'bitrateKbps'> & {
    readonly [each in keyof Format | 'bitrateKbps']: number | 'auto';
  };
  readonly camera: WantedCamera;
  readonly audio: WantedAudio;
  readonly slate: WantedSlate;
}
