/** Whether media files can go on the air as they are: H.264 and AAC that every RTMP server and player takes, alike throughout. */
import type { MediaFile } from '../machine.js';

/** profile_idc of Baseline, Main and High: 8 bits, 4:2:0 (High may also be 4:0:0, see below). */
const profiles: ReadonlySet<number> = new Set([66, 77, 100]);

/** Seconds: a viewer who joins waits at most this long, and YouTube asks for 4 at most. */
const keyframeLimit = 4;

const bytesOf = (hex: string): number[] => (hex.match(/../g) ?? []).map((pair) => parseInt(pair, 16));

/**
 * chroma_format_idc that an AVC decoder configuration record of profile 100 carries after its parameter sets (ISO/IEC
 * 14496-15, 5.3.3.1); undefined where the record ends before it, which older muxers leave out for 4:2:0.
 */
function chromaFormat(avcc: readonly number[]): number | undefined {
  let at = 5;
  const skip = (count: number): void => {
    for (let set = 0; set < count; set++) at += 2 + ((avcc[at] ?? 0) << 8) + (avcc[at + 1] ?? 0);
  };
  const sps = (avcc[at++] ?? 0) & 31;
  skip(sps);
  const pps = avcc[at++] ?? 0;
  skip(pps);
  const chroma = avcc[at];
  return chroma === undefined ? undefined : chroma & 3;
}

/** Monochrome (4:0:0) does not fit: hardware decoders in phones and television sets refuse it. */
export function avcFits(hex: string): boolean {
  const avcc = bytesOf(hex);
  const profile = avcc[1];
  if (avcc[0] !== 1 || profile === undefined || !profiles.has(profile)) return false;
  return profile !== 100 || (chromaFormat(avcc) ?? 1) === 1;
}

/** AAC-LC without spectral band replication, plainly or by its backward compatible signal (ISO/IEC 14496-3, 1.6.2.1). */
export function ascFits(hex: string): boolean {
  const bits = bytesOf(hex)
    .map((byte) => byte.toString(2).padStart(8, '0'))
    .join('');
  let at = 0;
  const read = (count: number): number => {
    const value = parseInt(bits.slice(at, at + count), 2);
    at += count;
    return value;
  };
  if (read(5) !== 2) return false;
  if (read(4) === 15) at += 24;
  at += 4 + 3;
  return !(read(11) === 0x2b7 && read(5) === 5 && read(1) === 1);
}

/** Why a file cannot be passed through, in plain words; undefined where it can. */
export function unfit(file: MediaFile): string | undefined {
  const { video, audio, orientation } = file;
  // FLV cannot say that a picture lies on its side, nor AVI when its B-frames are to be shown.
  if (orientation !== undefined) return 'it is rotated';
  if (/\.avi$/i.test(file.path)) return 'AVI holds no timestamps of its pictures';
  if (video?.codec !== 'h264' || video.avcc === undefined)
    return `its video is ${video?.codec ?? 'missing'}, not H.264`;
  if (!avcFits(video.avcc)) return 'its H.264 is not Baseline, Main or High 4:2:0 with 8 bits';
  if (video.keyframeSeconds === undefined) return 'its keyframe interval is not known';
  if (video.keyframeSeconds > keyframeLimit) return `its keyframes are up to ${video.keyframeSeconds} s apart`;
  if (audio && (audio.codec !== 'aac' || audio.asc === undefined)) return `its audio is ${audio.codec}, not AAC`;
  if (audio?.asc !== undefined && !ascFits(audio.asc)) return 'its AAC is not plain AAC-LC';
  return undefined;
}

/** Why the playlist as a whole cannot be passed through; undefined where it can. Names files by number, not by path. */
export function playlistUnfit(files: readonly MediaFile[]): string | undefined {
  for (const [index, file] of files.entries()) {
    const why = unfit(file);
    if (why) return `file ${index + 1} of ${files.length}: ${why}`;
    const first = files[0]!;
    if (file.video?.avcc !== first.video?.avcc || file.audio?.asc !== first.audio?.asc)
      return `file ${index + 1} of ${files.length} has a different format from the first`;
  }
  return undefined;
}
