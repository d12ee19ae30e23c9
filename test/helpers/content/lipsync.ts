/** Lip-sync: how far apart a flash and the beep that belongs to it arrive. */
import { run } from '../command.js';
import { decodeSound, type Sound } from './sound.js';

/**
 * What a flash is: `flash` a short white picture on black (only its beginning counts),
 * `flip` a picture that turns to its negative once a second (`videotestsrc pattern=ball flip=true`).
 */
export type Kind = 'flash' | 'flip';

export interface LipSync {
  /** Milliseconds from flash to beep; positive: the sound comes late. */
  readonly offsets: readonly number[];
  readonly medianMs: number;
  /** The offset that is farthest from zero. */
  readonly worstMs: number;
}

/** Change of mean brightness (0 to 255) from one picture to the next that is a flash, not motion. */
const flashStep = 60;
/** Part of the loudest sample at which a beep begins: above an AAC encoder's pre-echo, and reached within 0.2 ms of a tone's start. */
const onsetLevel = 0.25;
const quietSeconds = 0.3;
/** A flash and a beep farther apart than this do not belong together; they come once a second. */
const pairSeconds = 0.45;

export interface Brightness {
  /** Stream time of presentation, in seconds. */
  readonly time: number;
  /** Mean luma, 0 to 255. */
  readonly luma: number;
}

/** Mean brightness of every picture, by its time of presentation. */
async function brightness(file: string): Promise<Brightness[]> {
  const filter = 'scale=32:18:flags=area,signalstats,metadata=print:key=lavfi.signalstats.YAVG:file=-';
  const { stdout } = await run('ffmpeg', [
    '-nostdin',
    '-v',
    'error',
    '-copyts',
    '-i',
    file,
    '-an',
    '-fps_mode',
    'passthrough',
    '-vf',
    filter,
    '-f',
    'null',
    '-',
  ]);
  return [...stdout.toString().matchAll(/pts_time:(\S+)\s+lavfi\.signalstats\.YAVG=(\S+)/g)].map((match) => ({
    time: Number(match[1]),
    luma: Number(match[2]),
  }));
}

/** Stream times, in seconds, at which a flash begins. */
function flashes(pictures: readonly Brightness[], kind: Kind): number[] {
  return pictures
    .filter((picture, index) => {
      const step = picture.luma - (pictures[index - 1]?.luma ?? picture.luma);
      return kind === 'flash' ? step > flashStep : Math.abs(step) > flashStep;
    })
    .map((picture) => picture.time);
}

/** Stream times, in seconds, at which a beep begins after 0.3 s of quiet. */
export function beeps({ samples, rate, start }: Sound): number[] {
  const peak = samples.reduce((most, sample) => Math.max(most, Math.abs(sample)), 0);
  const onsets: number[] = [];
  let loud = -Infinity;
  samples.forEach((sample, index) => {
    if (Math.abs(sample) < onsetLevel * peak) return;
    if (index - loud > quietSeconds * rate) onsets.push(start + index / rate);
    loud = index;
  });
  return onsets;
}

/** Measures a file. Throws when fewer than `atLeast` pairs of flash and beep are found: then nothing was measured. */
export async function lipSync(file: string, kind: Kind, atLeast = 3): Promise<LipSync> {
  const pictures = await brightness(file);
  const lights = flashes(pictures, kind);
  const sounds = beeps(await decodeSound(file, Math.floor(pictures[0]?.time ?? 0)));
  const offsets = lights.flatMap((light) => {
    const nearest = sounds.reduce(
      (best, sound) => (Math.abs(sound - light) < Math.abs(best - light) ? sound : best),
      Infinity,
    );
    return Math.abs(nearest - light) < pairSeconds ? [1000 * (nearest - light)] : [];
  });
  if (offsets.length < atLeast) {
    throw new Error(
      `lip-sync: ${offsets.length} pairs of ${lights.length} flashes and ${sounds.length} beeps in ${pictures.length} pictures`,
    );
  }
  const sorted = offsets.toSorted((a, b) => a - b);
  const medianMs = (sorted[Math.floor((sorted.length - 1) / 2)]! + sorted[Math.ceil((sorted.length - 1) / 2)]!) / 2;
  const worstMs = offsets.reduce((worst, offset) => (Math.abs(offset) > Math.abs(worst) ? offset : worst), 0);
  return { offsets, medianMs, worstMs };
}

export interface SyncFileOptions {
  readonly seconds?: number;
  /** ffmpeg's video and audio encoders; libx264 and aac if not given. */
  readonly video?: string;
  readonly audio?: string;
  /** B-frames between two others (libx264 only); 0 if not given. */
  readonly bFrames?: number;
  readonly fps?: number;
  readonly size?: string;
  /** Milliseconds by which the beep is later than the flash (may be negative). */
  readonly soundLateMs?: number;
}

/** Makes a file, in the container that its name ends on, with a white flash and a 1 kHz beep of 100 ms at 0.5 s, 1.5 s, ... */
export async function makeSyncFile(file: string, options: SyncFileOptions = {}): Promise<void> {
  const {
    seconds = 6,
    video = 'libx264',
    audio = 'aac',
    bFrames = 0,
    fps = 30,
    size = '320x180',
    soundLateMs = 0,
  } = options;
  const flash = `color=black:size=${size}:rate=${fps}:duration=${seconds},drawbox=color=white:thickness=fill:enable='lt(mod(t+0.5,1),0.1)'`;
  const beep = `aevalsrc=0.8*sin(2*PI*1000*t)*lt(mod(t+1.5-${soundLateMs / 1000}\\,1)\\,0.1):sample_rate=48000:duration=${seconds}`;
  const x264 = [
    '-preset',
    'veryfast',
    '-bf',
    String(bFrames),
    '-g',
    String(2 * fps),
    ...(bFrames > 0 ? ['-b_strategy', '0'] : []),
  ];
  await run('ffmpeg', [
    ...['-nostdin', '-v', 'error', '-y', '-f', 'lavfi', '-i', flash, '-f', 'lavfi', '-i', beep],
    ...['-pix_fmt', 'yuv420p', '-c:v', video, ...(video === 'libx264' ? x264 : []), '-c:a', audio, '-ac', '2', file],
  ]);
}
