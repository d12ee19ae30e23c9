/** What `v4l2-ctl --info --get-input --get-fmt-video --get-parm --list-formats-ext` (v4l-utils 1.22) says about a node. Pure. */
import type { CameraFormat } from '../../../pipelines/machine.js';

/** Both ends of a continuous or stepwise range of sizes. */
export interface Sizes {
  readonly min: readonly [number, number];
  readonly max: readonly [number, number];
  readonly step: readonly [number, number];
}

interface Listed {
  readonly fourcc: string;
  /** Sizes that stand one by one, with their rates. */
  readonly sizes: { width: number; height: number; fps: number[] }[];
  /** Set where the driver takes any size between two ends. */
  range?: Sizes;
}

export interface Node {
  readonly driver: string;
  readonly card: string;
  /** Capabilities of this very node (`Device Caps`); what the whole device can do stands elsewhere, and misleads. */
  readonly caps: readonly string[];
  /** It has a video input to choose. Cameras have one; image processors and codecs that also `capture` have none. */
  readonly input: boolean;
  /** The format that is set now, for drivers that list no sizes. */
  readonly current?: {
    readonly fourcc: string;
    readonly width: number;
    readonly height: number;
    readonly fps?: number;
  };
  readonly formats: readonly Listed[];
}

/** Sizes that are worth listing where a driver takes any: those that people broadcast in. */
export const usualSizes: readonly (readonly [number, number])[] = [
  [320, 240],
  [640, 360],
  [640, 480],
  [800, 600],
  [1024, 576],
  [1280, 720],
  [1920, 1080],
];
/** Rates that are worth listing where a driver takes any, highest first. */
const usualRates: readonly number[] = [60, 50, 30, 25, 24, 20, 15, 10, 5];
/** What to count on where a driver takes any size and tells no rates: every sensor does these. */
const surelyRates: readonly number[] = [30, 25, 24, 20, 15, 10, 5];

/** Raw sensor data (Bayer, grey of more than 8 bits, depth): needs an image processor, so it is no picture yet. */
const rawSensor = /^(?:BA81|GBRG|GRBG|RGGB|BYR2|(?:B[AG]|G[BR]|RG)1[0246]|p[BGRg](?:AA|CC|EE)|Y1[0246][ P]|Z16 )$/;

/** Undefined where the text is not from v4l2-ctl. */
export function parseNode(text: string): Node | undefined {
  const driver = /^\s*Driver name\s*: (.*)$/m.exec(text)?.[1]?.trim();
  if (driver === undefined) return undefined;
  const caps = /^([ \t]*)Device Caps\s*: 0x[0-9a-f]+\n((?:\1[ \t]+\S.*\n?)*)/m.exec(text)?.[2] ?? '';
  const current = currentFormat(text);
  return {
    driver,
    card: /^\s*Card type\s*: (.*)$/m.exec(text)?.[1]?.trim() ?? driver,
    caps: caps.split('\n').flatMap((line) => line.trim() || []),
    input: /^Video input\s*: \d+/m.test(text),
    ...(current && { current }),
    formats: listedFormats(text),
  };
}

function currentFormat(text: string): Node['current'] {
  const size = /^\s*Width\/Height\s*: (\d+)\/(\d+)$/m.exec(text);
  const fourcc = /^\s*Pixel Format\s*: '(.{4})'/m.exec(text)?.[1];
  if (!size || fourcc === undefined) return undefined;
  const fps = Number(/^\s*Frames per second: ([\d.]+)/m.exec(text)?.[1]);
  return { fourcc, width: Number(size[1]), height: Number(size[2]), ...(fps > 0 && { fps }) };
}

function listedFormats(text: string): Listed[] {
  const formats: Listed[] = [];
  for (const line of text.split('\n')) {
    const last = formats.at(-1);
    // `[0]: 'YUYV' (YUYV 4:2:2)`; a big-endian format has -BE behind its name and is no use to us.
    const fourcc = /^\s*\[\d+\]: '(.{4})'/.exec(line)?.[1];
    const size = /^\s*Size: Discrete (\d+)x(\d+)/.exec(line);
    const range = /^\s*Size: (?:Stepwise|Continuous) (\d+)x(\d+) - (\d+)x(\d+)(?: with step (\d+)\/(\d+))?/.exec(line);
    if (fourcc !== undefined) {
      formats.push({ fourcc, sizes: [] });
    } else if (size) {
      last?.sizes.push({ width: Number(size[1]), height: Number(size[2]), fps: [] });
    } else if (range && last) {
      const [, a, b, c, d, e, f] = range.map(Number) as [number, number, number, number, number, number, number];
      last.range = { min: [a, b], max: [c, d], step: [e || 1, f || 1] };
    } else {
      last?.sizes.at(-1)?.fps.push(...parseInterval(line));
    }
  }
  return formats;
}

/** Rates of one `Interval:` line: the one it names, or the usual ones of a range and the range's upper end. */
function parseInterval(line: string): number[] {
  const one = /^\s*Interval: Discrete .*\(([\d.]+) fps\)/.exec(line);
  if (one) return [Number(one[1])];
  const range = /^\s*Interval: (?:Continuous|Stepwise) .*\(([\d.]+)-([\d.]+) fps\)/.exec(line);
  if (!range) return [];
  const [slowest, fastest] = [Number(range[1]), Number(range[2])];
  return [fastest, ...usualRates.filter((rate) => rate >= slowest && rate < fastest)];
}

/** Rates that `v4l2-ctl --list-frameintervals=...` printed. */
export const parseIntervals = (text: string): number[] => text.split('\n').flatMap(parseInterval);

/** It gives pictures to us: not metadata, not an output, no codec, no image processor, nothing that wants to be wired up first. */
export const isCamera = (node: Node): boolean => captures(node) && node.input && usable(node).length > 0;

/**
 * Its driver has registered it as something else: that does not change while it is there, unlike the formats of an HDMI bridge. A webcam
 * that names no input has failed to.
 */
export const isNever = (node: Node): boolean => !captures(node) || (!node.input && node.driver !== 'uvcvideo');

const captures = ({ caps }: Node): boolean =>
  (caps.includes('Video Capture') || caps.includes('Video Capture Multiplanar')) && !caps.includes('I/O MC');

/** It tells the sizes of each of its formats, so that none has to be taken from what is set just now. */
export const listsAll = ({ formats }: Node): boolean =>
  formats.every(
    ({ sizes, range }) => range !== undefined || (sizes.length > 0 && sizes.every(({ fps }) => fps.length > 0)),
  );

const usable = (node: Node): readonly Listed[] => node.formats.filter(({ fourcc }) => !rawSensor.test(fourcc));

/** The format and size whose rates have to be asked for, because the driver takes any size and lists no rates with it. */
export function openRange(node: Node): { fourcc: string; width: number; height: number } | undefined {
  const format = usable(node).find(({ range }) => range !== undefined);
  if (!format?.range) return undefined;
  const [width, height] = fitting(format.range).at(-1) ?? format.range.max;
  return { fourcc: format.fourcc, width, height };
}

/** Usual sizes within a range, by its step. */
export const fitting = ({ min, max, step }: Sizes): (readonly [number, number])[] =>
  usualSizes.filter((size) =>
    ([0, 1] as const).every((i) => size[i] >= min[i] && size[i] <= max[i] && (size[i] - min[i]) % step[i] === 0),
  );

/** All formats by size, with rates highest first. `rates` are those of {@link openRange}. */
export function formatsOf(node: Node, rates: readonly number[]): CameraFormat[] {
  return usable(node).flatMap(({ fourcc, sizes, range }) => {
    const all = sizes.map(({ width, height, fps }) => ({ width, height, fps }));
    if (range) {
      const usual = fitting(range);
      const fps = rates.length > 0 ? [...rates] : [...surelyRates];
      all.push(...(usual.length > 0 ? usual : [range.max]).map(([width, height]) => ({ width, height, fps })));
    }
    if (all.length === 0 && node.current) {
      // Television inputs and HDMI bridges list no sizes: there is the one that the signal has.
      const { width, height, fps } = node.current;
      all.push({ width, height, fps: fps === undefined ? [] : [fps] });
    }
    return all.map(({ width, height, fps }) => ({
      fourcc,
      width,
      height,
      fps: [...new Set(fps)].sort((a, b) => b - a),
    }));
  });
}
