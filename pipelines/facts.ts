/** What is known of the machine that the plan is for; `agent/machine` fills it in, goldens write it out. */

export interface CameraFormat {
  /** V4L2 fourcc: `H264`, `MJPG`, `YUYV`, `NV12`, … */
  readonly fourcc: string;
  readonly width: number;
  readonly height: number;
  /** Frames a second that the driver lists for this size, highest first. */
  readonly fps: readonly number[];
}

export interface Camera {
  /** Device node, such as `/dev/video0`. */
  readonly path: string;
  /** Name for people, such as `HD Pro Webcam C920`. */
  readonly name: string;
  /** Kernel driver, such as `uvcvideo` or `bm2835 mmal`. */
  readonly driver: string;
  /** File name under `/dev/v4l/by-id`, which stays the same when the node's number moves. */
  readonly byId?: string;
  /** USB path such as `1-1.2`, for two cameras of the same make. */
  readonly usbPath?: string;
  readonly formats: readonly CameraFormat[];
}

export interface Microphone {
  /** ALSA card id such as `C920` (indexes move, ids stay). */
  readonly id: string;
  /** PCM device number on the card, usually 0. */
  readonly device: number;
  readonly name: string;
  /** Rates in Hz that the card really has: a list, or the ends of a continuous range. */
  readonly rates: readonly number[] | { readonly min: number; readonly max: number };
  /** Channel counts that the card really has. */
  readonly channels: readonly number[];
  /** USB path such as `1-1.2`, by which a webcam's microphone is matched to its camera. */
  readonly usbPath?: string;
}

export interface Encoder {
  /** GStreamer element, such as `x264enc`. */
  readonly element: string;
  readonly hardware: boolean;
  /** It was run, and H.264 came out. */
  readonly works: boolean;
  /** Why it does not work, in plain words. */
  readonly why?: string;
}

export interface MediaFile {
  readonly path: string;
  /** Seconds; absent where the container does not tell. */
  readonly seconds?: number;
  /** How it has to be turned to stand upright, such as `rotate-90`; absent where it stands upright. */
  readonly orientation?: string;
  readonly video?: {
    /** `h264` or whatever GStreamer calls it. */
    readonly codec: string;
    readonly width: number;
    readonly height: number;
    readonly fps: number;
    /** AVC decoder configuration record as hexadecimal text, for `h264` only: profile, chroma and equality are read from it. */
    readonly avcc?: string;
    /** Longest distance between keyframes that was seen, in seconds, for `h264` only. */
    readonly keyframeSeconds?: number;
  };
  readonly audio?: {
    /** `aac`, or whatever GStreamer calls it. */
    readonly codec: string;
    readonly rate: number;
    readonly channels: number;
    /** AudioSpecificConfig as hexadecimal text, for `aac` only. */
    readonly asc?: string;
  };
}

export interface Facts {
  /** Names of all GStreamer elements that are installed. */
  readonly elements: readonly string[];
  readonly cameras: readonly Camera[];
  readonly microphones: readonly Microphone[];
  readonly encoders: readonly Encoder[];
  /** What the probe of each wanted media file said; empty unless `video.source` is `file`. */
  readonly files: readonly MediaFile[];
}
