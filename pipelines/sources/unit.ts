/** The extension unit by which a USB camera's own encoder is set up (USB Video Class, H.264 payload): what a plan tells it. */

/** Stands for the unit where a plan names an element; its properties are `bitrateKbps`, and `keyframe`, which asks for one. */
export const unitElement = 'encoder-unit';

/** What the encoder is told before it starts. */
export interface UnitSetup {
  /** Device node of the camera. */
  readonly device: string;
  /** Number of the unit. */
  readonly id: number;
  readonly width: number;
  readonly height: number;
  /** Frames a second. */
  readonly fps: number;
  readonly bitrateKbps: number;
  /** Seconds from one keyframe to the next. */
  readonly keyframeSeconds: number;
}

/** For people: `unit 12: a keyframe every 2 s, 2500 kbit/s`. */
export const unitText = ({ id, keyframeSeconds, bitrateKbps }: UnitSetup): string =>
  `unit ${id}: a keyframe every ${keyframeSeconds} s, ${bitrateKbps} kbit/s`;
