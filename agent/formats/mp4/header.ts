/** How a fragmented MP4 file begins: what its tracks are, and that the samples come later (ISO/IEC 14496-12, -14, -15). Pure. */
import { ascii, box, fullBox, u16, u32, u8 } from './box.js';

/** What pictures and sound are decoded with. */
export interface Codecs {
  /** AVCDecoderConfigurationRecord. */
  readonly avc: Buffer;
  /** AudioSpecificConfig; none where there is no sound. */
  readonly aac?: Buffer;
  readonly width: number;
  readonly height: number;
}

export const videoTrack = 1;
export const audioTrack = 2;
/** FLV counts pictures in milliseconds. */
export const videoScale = 1000;

/** ISO/IEC 14496-3, table 1.18. */
const rates: readonly number[] = [
  96_000, 88_200, 64_000, 48_000, 44_100, 32_000, 24_000, 22_050, 16_000, 12_000, 11_025, 8000, 7350,
];

/** Samples a second of an AudioSpecificConfig, and its channels. Throws where it is none. */
export function soundOf(aac: Buffer): { rate: number; channels: number } {
  const bits = aac.length < 2 ? '' : [...aac].map((byte) => byte.toString(2).padStart(8, '0')).join('');
  const number = (from: number, length: number): number => parseInt(bits.slice(from, from + length), 2);
  const index = number(5, 4);
  const rate = index === 15 ? number(9, 24) : rates[index];
  const channels = number(index === 15 ? 33 : 9, 4);
  if (rate === undefined || !(rate > 0) || Number.isNaN(channels)) throw new Error('not an AudioSpecificConfig');
  // 7 stands for eight channels; 0 says that the stream itself tells, which for us is stereo.
  return { rate, channels: channels === 7 ? 8 : channels || 2 };
}

/** `bornMs`: when the recording began, in milliseconds since 1970, as the clock of the machine has it. */
export function fileHeader(codecs: Codecs, bornMs: number): Buffer {
  const sound = codecs.aac && soundOf(codecs.aac);
  // Seconds since 1904, which is 66 years of 365.25 days before 1970.
  const born = Math.max(0, Math.round(bornMs / 1000) + 2_082_844_800);
  const tracks = [
    track({ id: videoTrack, born, scale: videoScale, handler: 'vide', ...codecs }, pictureEntry(codecs)),
    ...(sound
      ? [
          track(
            { id: audioTrack, born, scale: sound.rate, handler: 'soun', width: 0, height: 0 },
            soundEntry(codecs.aac!, sound.channels, sound.rate),
          ),
        ]
      : []),
  ];
  const movie = fullBox(
    'mvhd',
    0,
    0,
    u32(born, born, videoScale, 0, 0x10000),
    u16(0x100, 0),
    u32(0, 0),
    matrix,
    u32(0, 0, 0, 0, 0, 0, tracks.length + 1),
  );
  const later = tracks.map((_, i) => fullBox('trex', 0, 0, u32(i + 1, 1, 0, 0, 0)));
  const kind = box('ftyp', ascii('iso5'), u32(512), ascii('iso5iso6mp41'));
  const moov = box('moov', movie, ...tracks, box('mvex', ...later));
  // Fragments begin at multiples of 8 bytes.
  return Buffer.concat([kind, moov, box('free', Buffer.alloc(-(kind.length + moov.length) & 7))]);
}

const matrix = u32(0x10000, 0, 0, 0, 0x10000, 0, 0, 0, 0x40000000);

interface TrackForm {
  readonly id: number;
  readonly born: number;
  readonly scale: number;
  readonly handler: 'vide' | 'soun';
  readonly width: number;
  readonly height: number;
}

function track({ id, born, scale, handler, width, height }: TrackForm, entry: Buffer): Buffer {
  const isSound = handler === 'soun';
  // Flags: enabled, in the movie. No duration: the fragments tell.
  const head = fullBox(
    'tkhd',
    0,
    3,
    u32(born, born, id, 0, 0, 0, 0),
    u16(0, 0, isSound ? 0x100 : 0, 0),
    matrix,
    u32(width * 0x10000, height * 0x10000),
  );
  const none = u32(0);
  const table = box(
    'stbl',
    fullBox('stsd', 0, 0, u32(1), entry),
    fullBox('stts', 0, 0, none),
    fullBox('stsc', 0, 0, none),
    fullBox('stsz', 0, 0, none, none),
    fullBox('stco', 0, 0, none),
  );
  // Flags of `url `: the media is in this file.
  const here = box('dinf', fullBox('dref', 0, 0, u32(1), fullBox('url ', 0, 1)));
  const kind = isSound ? fullBox('smhd', 0, 0, u16(0, 0)) : fullBox('vmhd', 0, 1, u16(0, 0, 0, 0));
  const media = box(
    'mdia',
    // 0x55c4: a language that is not told.
    fullBox('mdhd', 0, 0, u32(born, born, scale, 0), u16(0x55c4, 0)),
    fullBox('hdlr', 0, 0, u32(0), ascii(handler), u32(0, 0, 0), ascii('makercast\0')),
    box('minf', kind, here, table),
  );
  return box('trak', head, media);
}

function pictureEntry({ avc, width, height }: Codecs): Buffer {
  return box(
    'avc1',
    u16(0, 0, 0, 1, 0, 0),
    u32(0, 0, 0),
    u16(width, height),
    u32(0x480000, 0x480000, 0),
    u16(1),
    Buffer.alloc(32),
    u16(24, 0xffff),
    box('avcC', avc),
  );
}

function soundEntry(aac: Buffer, channels: number, rate: number): Buffer {
  const described = (tag: number, ...parts: readonly Buffer[]): Buffer => {
    const body = Buffer.concat(parts);
    return Buffer.concat([u8(tag, body.length), body]);
  };
  // 0x40: MPEG-4 audio; 0x15: an audio stream. No bitrates: the stream tells.
  const decoder = described(4, u8(0x40, 0x15, 0, 0, 0), u32(0, 0), described(5, aac));
  const stream = described(3, u16(audioTrack), u8(0), decoder, described(6, u8(2)));
  // 16.16 bits hold no more than 65535 Hz; the config itself holds them all.
  const shown = rate > 0xffff ? 0 : rate * 0x10000;
  return box('mp4a', u16(0, 0, 0, 1), u32(0, 0), u16(channels, 16, 0, 0), u32(shown), fullBox('esds', 0, 0, stream));
}
