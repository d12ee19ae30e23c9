/** Which of a camera's formats to use: the nearest to what is wanted, and of equals the one that costs least. */
import type { CameraFormat } from '../machine.js';
import type { Format } from '../wanted.js';

/** V4L2 fourcc of raw formats, and what GStreamer calls them. 4:2:0 first: encoders take it as it is. */
const rawNames: Readonly<Record<string, string>> = {
  NV12: 'NV12',
  YU12: 'I420',
  YV12: 'YV12',
  NV21: 'NV21',
  YUYV: 'YUY2',
  UYVY: 'UYVY',
  YVYU: 'YVYU',
  RGB3: 'RGB',
  BGR3: 'BGR',
};
const rawOrder = Object.keys(rawNames);

export type Kind = 'h264' | 'raw' | 'jpeg';

/** What a fourcc is to us; undefined for what cannot be used. */
export function kindOf(fourcc: string): Kind | undefined {
  if (fourcc === 'H264') return 'h264';
  if (fourcc === 'MJPG' || fourcc === 'JPEG') return 'jpeg';
  return rawNames[fourcc] ? 'raw' : undefined;
}

/** GStreamer's name of a raw fourcc. */
export const rawName = (fourcc: string): string | undefined => rawNames[fourcc];

export interface Choice {
  readonly fourcc: string;
  readonly kind: Kind;
  readonly width: number;
  readonly height: number;
  readonly fps: number;
}

/** A listed rate reaches a wanted one when it is at most 1 % below it: 29.97 does for 30. */
export const reaches = (fps: number, wanted: number): boolean => fps >= wanted * 0.99;

/** Slower pictures do not pass for a film, where a faster rate is wanted. */
const movingFps = 20;

/** Whether pictures at this rate move, where so many are wanted. */
export const moves = (fps: number, wanted: number): boolean => reaches(fps, Math.min(wanted, movingFps));

/** Of the listed rates that reach the wanted one the nearest (30 for 30, though 29.97 would do), else the highest. */
function rateOf(format: CameraFormat, wanted: number): number {
  const reaching = format.fps.filter((fps) => reaches(fps, wanted));
  if (reaching.length === 0) return Math.max(...format.fps);
  return reaching.reduce((best, fps) => (Math.abs(fps - wanted) < Math.abs(best - wanted) ? fps : best));
}

/** Smaller is nearer, compared from the left: whether it moves, size, shape of the picture, whether it covers, pixels apart, missing frames. */
function distance(choice: Choice, wanted: Format): number[] {
  const exact = choice.width === wanted.width && choice.height === wanted.height;
  const shape = Math.abs(choice.width / choice.height - wanted.width / wanted.height) < 0.02;
  const covers = choice.width >= wanted.width && choice.height >= wanted.height;
  return [
    moves(choice.fps, wanted.fps) ? 0 : 1,
    exact ? 0 : 1,
    shape ? 0 : 1,
    covers ? 0 : 1,
    Math.abs(choice.width * choice.height - wanted.width * wanted.height),
    reaches(choice.fps, wanted.fps) ? 0 : wanted.fps - choice.fps,
  ];
}

/** Of equally near formats: raw needs no decoding, and H.264 would be decoded only to be encoded again. */
function effort(choice: Choice): number[] {
  return [{ raw: 0, jpeg: 1, h264: 2 }[choice.kind], rawOrder.indexOf(choice.fourcc)];
}

export function compare(a: readonly number[], b: readonly number[]): number {
  for (const [index, value] of a.entries()) if (value !== b[index]) return value - b[index]!;
  return 0;
}

/** Every format of the given kinds, at the rate that suits best. */
export function choices(formats: readonly CameraFormat[], wanted: Format, kinds: readonly Kind[]): Choice[] {
  return formats.flatMap((format): Choice[] => {
    const kind = kindOf(format.fourcc);
    if (!kind || !kinds.includes(kind) || format.fps.length === 0) return [];
    const { fourcc, width, height } = format;
    return [{ fourcc, kind, width, height, fps: rateOf(format, wanted.fps) }];
  });
}

/** The best format of the given kinds; undefined where the camera has none of them. */
export function chooseFormat(
  formats: readonly CameraFormat[],
  wanted: Format,
  kinds: readonly Kind[],
): Choice | undefined {
  return choices(formats, wanted, kinds).sort(
    (a, b) => compare(distance(a, wanted), distance(b, wanted)) || compare(effort(a), effort(b)),
  )[0];
}

/** Whether `a` is at least as near to what is wanted as `b`. */
export function asNear(a: Choice, b: Choice | undefined, wanted: Format): boolean {
  return b === undefined || compare(distance(a, wanted), distance(b, wanted)) <= 0;
}
