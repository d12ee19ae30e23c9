/** H.264 levels: the lowest that a picture size, rate and bitrate fit into (ITU-T H.264, table A-1). */
import type { Format } from '../wanted.js';

interface Level {
  /** As GStreamer's caps write it. */
  readonly name: string;
  /** Value of V4L2_CID_MPEG_VIDEO_H264_LEVEL (linux/v4l2-controls.h). */
  readonly v4l2: number;
  /** Macroblocks a second, macroblocks a frame, kbit/s in Main profile. */
  readonly rate: number;
  readonly size: number;
  readonly kbps: number;
}

/** From 3 on: no encoder gains by a lower one. */
const levels: readonly Level[] = [
  { name: '3', v4l2: 8, rate: 40_500, size: 1_620, kbps: 10_000 },
  { name: '3.1', v4l2: 9, rate: 108_000, size: 3_600, kbps: 14_000 },
  { name: '3.2', v4l2: 10, rate: 216_000, size: 5_120, kbps: 20_000 },
  { name: '4', v4l2: 11, rate: 245_760, size: 8_192, kbps: 20_000 },
  { name: '4.1', v4l2: 12, rate: 245_760, size: 8_192, kbps: 50_000 },
  { name: '4.2', v4l2: 13, rate: 522_240, size: 8_704, kbps: 50_000 },
  { name: '5', v4l2: 14, rate: 589_824, size: 22_080, kbps: 135_000 },
  { name: '5.1', v4l2: 15, rate: 983_040, size: 36_864, kbps: 240_000 },
];

/** The lowest level that fits; the highest there is where none does. */
export function levelOf({ width, height, fps, bitrateKbps }: Format & { readonly bitrateKbps: number }): {
  readonly name: string;
  readonly v4l2: number;
} {
  const size = Math.ceil(width / 16) * Math.ceil(height / 16);
  const fits = levels.find((level) => size <= level.size && size * fps <= level.rate && bitrateKbps <= level.kbps);
  return fits ?? levels.at(-1)!;
}
