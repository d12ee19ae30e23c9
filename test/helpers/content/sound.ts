/** What is to be heard: decoded sound on the stream's own time line, loudness, tones. */
import { run } from '../command.js';

export interface Sound {
  /** Mono, -1 to 1; gaps of the stream are silence here. */
  readonly samples: Float32Array;
  readonly rate: number;
  /** Stream time of the first sample, in seconds. */
  readonly start: number;
}

const rate = 48_000;

/**
 * Decodes the first audio track, mixed to mono at 48 kHz, from stream time `start` (whole seconds) on. Timestamps rule: what is
 * missing is filled. Nothing is taken off for an encoder's priming where the container does not say so, and FLV cannot:
 * this is what a player plays.
 */
export async function decodeSound(file: string, start = 0): Promise<Sound> {
  // By default ffmpeg lets up to 0.1 s pass; a millisecond is the grain of FLV's clock.
  const filter = `aresample=${rate}:async=1:min_hard_comp=0.005:first_pts=${start * rate}`;
  const { stdout } = await run('ffmpeg', [
    '-nostdin',
    '-v',
    'error',
    '-copyts',
    '-i',
    file,
    '-vn',
    '-af',
    filter,
    '-ac',
    '1',
    '-f',
    'f32le',
    '-',
  ]);
  const samples = new Float32Array(stdout.buffer.slice(stdout.byteOffset, stdout.byteOffset + (stdout.length & ~3)));
  return { samples, rate, start };
}

/** A part of the sound, in seconds of stream time. */
export function part(sound: Sound, from: number, to: number): Sound {
  const samples = sound.samples.subarray(
    Math.max(0, Math.round((from - sound.start) * sound.rate)),
    Math.max(0, Math.round((to - sound.start) * sound.rate)),
  );
  return { ...sound, samples, start: from };
}

/** RMS in dB below full scale (a full-scale sine is -3); -Infinity for digital silence. */
export function loudnessDb({ samples }: Sound): number {
  const power = samples.reduce((sum, sample) => sum + sample * sample, 0) / Math.max(1, samples.length);
  return 10 * Math.log10(power);
}

/** Nothing above -60 dB is to be heard. */
export const isSilent = (sound: Sound): boolean => loudnessDb(sound) < -60;

/** RMS of one frequency in dB below full scale (Goertzel's algorithm). */
export function toneDb({ samples, rate }: Sound, hertz: number): number {
  const coefficient = 2 * Math.cos((2 * Math.PI * hertz) / rate);
  let before = 0;
  let last = 0;
  for (const sample of samples) [before, last] = [last, sample + coefficient * last - before];
  const power = last * last + before * before - coefficient * last * before;
  return 10 * Math.log10((2 * power) / samples.length ** 2);
}

/** Of how much of the sound (0 to 1, by half seconds) this frequency is nearly all that is to be heard, and well to be heard. */
export function toneShare(sound: Sound, hertz: number): number {
  const count = Math.max(1, Math.floor((2 * sound.samples.length) / sound.rate));
  const halves = Array.from({ length: count }, (_, index) =>
    part(sound, sound.start + index / 2, sound.start + (index + 1) / 2),
  );
  const clear = halves.filter((half) => loudnessDb(half) > -20 && toneDb(half, hertz) > loudnessDb(half) - 1);
  return clear.length / count;
}

/** The strongest frequency between 50 Hz and 8 kHz, to 5 Hz, in the middle 0.2 s of the sound. */
export function dominantHertz(sound: Sound): number {
  const middle = sound.start + sound.samples.length / sound.rate / 2;
  const window = part(sound, middle - 0.1, middle + 0.1);
  let best = { hertz: 0, db: -Infinity };
  for (let hertz = 50; hertz <= 8000; hertz += 5) {
    const db = toneDb(window, hertz);
    if (db > best.db) best = { hertz, db };
  }
  return best.hertz;
}
