/** What is known of the machine that the plan is for; `agent/machine` fills it in, goldens write it out. */
import type { Reason } from './noplan.js';

/** One of a camera's formats. */
export interface Mode {
  /** V4L2 fourcc: `H264`, `MJPG`, `YUYV`, `NV12`, … */
  readonly fourcc: string;
  readonly width: number;
  readonly height: number;
}

/** `YUYV 640x480`. */
export const modeName = ({ fourcc, width, height }: Mode): string => `${fourcc} ${width}x${height}`;

export interface CameraFormat extends Mode {
  /** Frames a second that the driver lists for this size, highest first. */
  readonly fps: readonly number[];
}

/** One knob of a camera, as its driver offers it. */
export interface CameraControl {
  /** As v4l2-ctl and GStreamer's `extra-controls` write it: `power_line_frequency`; or as libcamerasrc calls its property: `af-mode`. */
  readonly name: string;
  readonly min: number;
  readonly max: number;
  readonly step: number;
  readonly default: number;
  /** Of a menu: the values that there are, and what each is called (`1`: `50 Hz`). */
  readonly choices?: Readonly<Record<string, string>>;
}

export interface Camera {
  /** How it is opened: a V4L2 node of its own, or by libcamera, which drives sensor and image processor for us. */
  readonly api: 'v4l2' | 'libcamera';
  /** Device node such as `/dev/video0`; libcamera's own name such as `/base/soc/i2c0mux/i2c@1/imx219@10`. */
  readonly path: string;
  /** Name for people, such as `HD Pro Webcam C920`. */
  readonly name: string;
  /** Kernel driver, such as `uvcvideo` or `bm2835 mmal`. */
  readonly driver: string;
  /** File name under `/dev/v4l/by-id`, which stays the same when the node's number moves. */
  readonly byId?: string;
  /** USB path such as `1-1.2`, for two cameras of the same make. */
  readonly usbPath?: string;
  /** Of libcamera raw ones only. */
  readonly formats: readonly CameraFormat[];
  /** Why some of its formats are left out here, one sentence each, for people. */
  readonly leftOut?: readonly string[];
  /** What can be set while it runs. Of libcamera what its GStreamer element has a property for, by that name: nothing before 0.4. */
  readonly controls: readonly CameraControl[];
  /** Of libcamera: its YUYV pictures reach `v4l2h264enc` where they lie, without a copy (tried). */
  readonly sharesMemory?: boolean;
  /** Its driver encodes H.264, and gives a keyframe when it is asked for one (control `force_key_frame`). */
  readonly givesKeyframes?: boolean;
  /** Of a USB camera that encodes: the extension unit by which its encoder is set up before it starts. */
  readonly encoderUnit?: {
    /** The unit's number in its descriptors. */
    readonly id: number;
    /** It gives a keyframe when it is asked for one. */
    readonly givesKeyframes: boolean;
    /** It changes its bitrate while it runs. */
    readonly changesBitrate: boolean;
  };
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
  /** It was not run, since a better one works; it is only taken to work. */
  readonly presumed?: boolean;
  /** Raw formats besides the usual ones that its driver takes as they are, as GStreamer calls them (tried). */
  readonly takes?: readonly string[];
  /** Why it does not work, in plain words. */
  readonly why?: string;
}

/** A decoder of JPEG in hardware that was tried: `v4l2jpegdec`. */
export interface JpegDecoder {
  /** Its pictures have black at 0 and white at 255, as JPEG has. */
  readonly fullRange: boolean;
}

/** Which colours luma and chroma stand for, as GStreamer calls it. */
export type Matrix = 'bt601' | 'bt709';

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
    /** Black is 0 and white 255 in it; absent where they are 16 and 235. */
    readonly fullRange?: Matrix;
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

/** The picture for the slate, as it was found. */
export interface SlateImage {
  readonly path: string;
  /** Another one where the file has changed. */
  readonly version: string;
  /** Why it cannot be shown, where it cannot. */
  readonly unfit?: Reason;
  readonly isJpeg?: boolean;
}

/** Which board this is, as far as a plan depends on it; empty on a PC. */
export interface Board {
  /** As the device tree says: `Raspberry Pi Zero W Rev 1.1`. */
  readonly model?: string;
  /** bcm2835: Pi 1, Zero, Zero W. bcm2836: Pi 2. bcm2837: Pi 3, Zero 2 W. bcm2711: Pi 4. bcm2712: Pi 5. */
  readonly soc?: 'bcm2835' | 'bcm2836' | 'bcm2837' | 'bcm2711' | 'bcm2712';
  /** MB that the firmware keeps for the GPU; with 16 it loads neither codec nor camera. Absent where it cannot be told. */
  readonly gpuMemoryMb?: number;
  /** A Pi whose system is a 64-bit one, where Raspberry Pi looks after libcamera alone, not the legacy camera stack. */
  readonly is64Bit?: true;
}

export interface Machine {
  readonly board: Board;
  /** Why the test picture is out of service, where it is. */
  readonly testFault?: Reason;
  /** Names of all GStreamer elements that are installed. */
  readonly elements: readonly string[];
  readonly cameras: readonly Camera[];
  readonly microphones: readonly Microphone[];
  readonly encoders: readonly Encoder[];
  /** Absent where there is none, and where none is needed. */
  readonly jpegDecoder?: JpegDecoder;
  /** Absent where none is wanted. */
  readonly slateImage?: SlateImage;
  /** Why the wanted files cannot be played, where they cannot. */
  readonly filesFault?: Reason;
  /** What the probe of each wanted media file said; empty unless `video.source` is `file`. */
  readonly files: readonly MediaFile[];
}
