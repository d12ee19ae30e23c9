/** One fragment of an MP4 file: `moof` says what its samples are, `mdat` holds them (ISO/IEC 14496-12, 8.8). Pure. */
import { ascii, box, fullBox, u32, u64 } from './box.js';

export interface Sample {
  /** In units of the track's scale, since the beginning of the file. */
  readonly start: number;
  readonly duration: number;
  /** From decoding to showing; in the same units. */
  readonly composition: number;
  /** It can be decoded without any other. */
  readonly sync: boolean;
  readonly data: Buffer;
}

export interface Run {
  readonly track: number;
  /** Without a gap: each begins where the one before ends. */
  readonly samples: readonly Sample[];
}

/** Sample flags (8.8.3.1): depends on no other; depends on others and is no place to begin at. */
const alone = 0x0200_0000;
const dependent = 0x0101_0000;

/** `sequence` counts the fragments of a file from 1. Runs without samples are left out. Always a multiple of 8 bytes. */
export function fragment(sequence: number, runs: readonly Run[]): Buffer {
  const filled = runs.filter(({ samples }) => samples.length > 0);
  const data = filled.flatMap(({ samples }) => samples.map((sample) => sample.data));
  // Offsets have one and the same size whatever they say: the first pass is there to be measured.
  const size = head(sequence, filled, 0).length;
  const bytes = data.reduce((sum, each) => sum + each.length, 0);
  const rest = Buffer.alloc(-(size + bytes) & 7);
  const lead = Buffer.concat([head(sequence, filled, size + 8), u32(8 + bytes + rest.length), ascii('mdat')]);
  return Buffer.concat([lead, ...data, rest]);
}

/**
 * Makes the fragment that begins at `at` in `bytes` one box that every player passes over (`free`), and returns the 8 bytes that
 * undo it. A `moof` that is torn spoils the whole file for ffmpeg, which reads them all before anything else; a box that is
 * torn but passed over does not. So a fragment is written hidden, and uncovered once it is on the card: 8 bytes at a
 * multiple of 8, which no sector's border divides.
 */
export function hide(bytes: Buffer, at: number): Buffer {
  const begin = Buffer.from(bytes.subarray(at, at + 8));
  Buffer.concat([u32(bytes.length - at), ascii('free')]).copy(bytes, at);
  return begin;
}

/** `at`: where the first sample stands, counted from the beginning of the fragment. */
function head(sequence: number, runs: readonly Run[], at: number): Buffer {
  const tracks = runs.map(({ track, samples }) => {
    const entries = samples.map(({ duration, data, sync, composition }) =>
      u32(duration, data.length, sync ? alone : dependent, composition),
    );
    const part = box(
      'traf',
      // Offsets count from the `moof` they stand in.
      fullBox('tfhd', 0, 0x02_0000, u32(track)),
      fullBox('tfdt', 1, 0, u64(samples[0]!.start)),
      // Version 1: compositions are signed. Flags: an offset; duration, size, flags and composition of each sample.
      fullBox('trun', 1, 0xf01, u32(samples.length, at), ...entries),
    );
    at += samples.reduce((sum, { data }) => sum + data.length, 0);
    return part;
  });
  return box('moof', fullBox('mfhd', 0, 0, u32(sequence)), ...tracks);
}
