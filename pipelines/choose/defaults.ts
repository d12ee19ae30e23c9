/** What `auto` means for size, rate and bitrate: by board, camera and encoder. */
import { leastChipFps, strideBytes } from '../encoders/v4l2h264enc.js';
import type { Board, Camera, Machine } from '../machine.js';
import { gpuEncodes } from '../sources/h264.js';
import { jpegDecoder } from '../sources/jpeg.js';
import type { Format, Wanted, Wish } from '../wanted.js';
import { findCamera, rawKinds } from './camera.js';
import { type Choice, choices, chooseFormat, compare, type Kind, moves, reaches } from './format.js';

/** What a rule depends on. */
interface Case {
  readonly soc: Board['soc'];
  /** Who makes H.264: the GPU behind the PiCam's own node, another camera, an encoder chip, or the processor. */
  readonly encodes: 'gpu' | 'camera' | 'chip' | 'processor';
  /** The camera gives JPEGs that the processor has to decode. */
  readonly decodes: boolean;
}

interface Rule {
  readonly applies: (of: Case) => boolean;
  readonly format: Format;
  readonly why: string;
}

const vga: Format = { width: 640, height: 480, fps: 30 };
const hd: Format = { width: 1280, height: 720, fps: 30 };

/** The first that applies; docs/hardware.md tells them with their sources. */
const rules: readonly Rule[] = [
  {
    applies: ({ soc, encodes }) => soc === 'bcm2835' && encodes === 'gpu',
    format: { ...hd, fps: 25 },
    why: 'the GPU encodes what the PiCam sees: 720p25 has been reported to take 5 to 6 % of a Zero W',
  },
  {
    applies: ({ soc, encodes, decodes }) => soc === 'bcm2835' && encodes !== 'camera' && decodes,
    format: { ...vga, fps: 15 },
    why: 'the camera delivers JPEGs, and the one slow core of this board decodes about 15 a second at 640x480',
  },
  {
    applies: ({ soc, encodes }) => soc === 'bcm2835' && encodes !== 'camera',
    format: vga,
    why: 'every picture passes through the one slow core of this board, which manages 640x480',
  },
  {
    applies: ({ soc, encodes }) => (soc === 'bcm2836' || soc === 'bcm2837') && encodes === 'processor',
    format: vga,
    why: 'in software these cores manage about 640x480',
  },
  {
    applies: () => true,
    format: hd,
    why: '720p30 is what every platform accepts and most uplinks carry',
  },
];

/** kbit/s for 720p30, the middle of what platforms recommend for it. */
const hdKbps = 2500;

/**
 * Twice the pixels need less than twice the bits: the power 3/4 meets the middle of YouTube's recommendations from 360p30
 * (900) to 1080p60 (7700). In whole hundreds, which every encoder's steps of 25 divide.
 */
function defaultKbps({ width, height, fps }: Format): number {
  const share = (width * height * fps) / (hd.width * hd.height * hd.fps);
  return Math.min(20_000, Math.max(100, Math.round((hdKbps * share ** 0.75) / 100) * 100));
}

/** The wish with every `auto` resolved. `kept`: the format of the broadcast that runs, which stays until it ends. */
export function resolveAuto(wish: Wish, machine: Machine, kept?: Format): Wanted {
  const { width, height, fps } = wish.video;
  const start = kept ?? defaultFormat(wish, machine).format;
  const format = { ...sized(width, height, start), fps: fps === 'auto' ? start.fps : fps };
  const { bitrateKbps } = wish.video;
  return {
    ...wish,
    video: { ...wish.video, ...format, bitrateKbps: bitrateKbps === 'auto' ? defaultKbps(format) : bitrateKbps },
  };
}

/** What the machine would be given if nobody asked for anything, and why. */
export function defaultFormat(wish: Wish, machine: Machine): { readonly format: Format; readonly why: string } {
  const { source } = wish.video;
  const camera = source === 'auto' ? machine.cameras[0] : findCamera(source, machine);
  const given = {
    soc: machine.board.soc,
    encodes: encodesBy(camera, wish.video.encoder, machine),
    decodes: camera !== undefined && isDecoded(camera, machine),
  };
  const { format, why } = rules.find(({ applies }) => applies(given))!;
  if (!camera) return { format, why };
  return fitted(camera, format, why, machine, given.encodes === 'chip' ? leastChipFps : slowest);
}

function encodesBy(
  camera: Camera | undefined,
  insisted: Wanted['video']['encoder'],
  machine: Machine,
): Case['encodes'] {
  if (camera && chooseFormat(camera.formats, hd, ['h264'])) return gpuEncodes(camera) ? 'gpu' : 'camera';
  const chips = machine.encoders.filter(({ hardware, works }) => hardware && works);
  return chips.some(({ element }) => insisted === 'auto' || insisted === element) ? 'chip' : 'processor';
}

/** Whether the processor would decode JPEGs for 640x480, which is more than a Zero W manages at 30 a second. */
function isDecoded(camera: Camera, machine: Machine): boolean {
  const choice = chooseFormat(camera.formats, vga, rawKinds(machine));
  return choice?.kind === 'jpeg' && jpegDecoder(choice, vga, machine).element === 'jpegdec';
}

/** The best picture that moves of those that the camera itself gives, and never a larger one: nothing is gained by blowing it up. */
function fitted(
  camera: Camera,
  format: Format,
  why: string,
  machine: Machine,
  leastFps: number,
): { readonly format: Format; readonly why: string } {
  const kinds: readonly Kind[] = [...rawKinds(machine), 'h264'];
  const [best] = choices(camera.formats, format, kinds)
    .filter(({ width, height }) => even(width) && even(height))
    .sort((a, b) => compare(merit(a, format), merit(b, format)));
  if (!best) return { format, why };
  const isWithin = best.width <= format.width && best.height <= format.height;
  const { width, height } = isWithin ? best : format;
  const fps = reaches(best.fps, format.fps) ? format.fps : Math.max(leastFps, Math.floor(best.fps));
  const limits = [
    ...(width === format.width && height === format.height ? [] : [`has ${width}x${height} at most`]),
    ...(fps === format.fps ? [] : [`delivers ${Math.floor(best.fps)} fps at most`]),
  ];
  return {
    format: { width, height, fps },
    why: limits.length === 0 ? why : `${why}; the camera ${limits.join(' and ')}`,
  };
}

/** Below it a picture is a row of stills. */
const slowest = 5;
/** Of what fits a picture: one that is smaller is not worth it where a larger one can be scaled down. */
const leastShare = 1 / 4;

/** Smaller is better, compared from the left: whether it moves, whether nothing has to be scaled, pixels, rate. */
function merit({ width, height, fps }: Choice, format: Format): number[] {
  const most = format.width * format.height;
  const isWithin = width <= format.width && height <= format.height;
  const worth = isWithin && width * height >= most * leastShare ? 0 : 1;
  return [moves(fps, format.fps) ? 0 : 1, worth, -Math.min(width * height, most), -Math.min(fps, format.fps)];
}

const even = (size: number): boolean => size % 2 === 0;

/** Heights and the widths that go with them, so that 480 becomes 640x480 and not 854x480. */
const usual: readonly (readonly [number, number])[] = [
  [320, 180],
  [320, 240],
  [640, 360],
  [640, 480],
  [960, 540],
  [1024, 576],
  [1280, 720],
  [1600, 900],
  [1920, 1080],
];

/** Of width and height the one that is left open follows the other, in a shape that is usual, else in 16:9. */
function sized(width: number | 'auto', height: number | 'auto', start: Format): { width: number; height: number } {
  if (width !== 'auto' && height !== 'auto') return { width, height };
  if (width === 'auto' && height === 'auto') return { width: start.width, height: start.height };
  if (height !== 'auto') {
    if (height === start.height) return { width: start.width, height };
    const found = usual.find(([, lines]) => lines === height)?.[0];
    return { width: found ?? nearestStride((height * 16) / 9), height };
  }
  const given = width as number;
  if (given === start.width) return { width: given, height: start.height };
  const found = usual.find(([columns]) => columns === given)?.[1];
  return { width: given, height: found ?? Math.min(1080, Math.max(180, 2 * Math.round((given * 9) / 32))) };
}

/** The nearest width whose lines every driver lays out alike; both ends are such widths. */
const nearestStride = (width: number): number =>
  Math.min(1920, Math.max(320, Math.round(width / strideBytes) * strideBytes));
