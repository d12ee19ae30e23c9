/** What H.264 says about its colours, in the sequence parameter set of an AVC decoder configuration record. Pure. */

export interface Colours {
  /** Black is 0 and white 255, not 16 and 235. */
  readonly fullRange: boolean;
  /** matrix_coefficients (ITU-T H.273, table 4): 1 is BT.709, 5 and 6 are BT.601; absent where it is not said. */
  readonly matrix?: number;
}

/** `hex`: the record (ISO/IEC 14496-15, 5.3.3.1) as hexadecimal text. Undefined where it says nothing of colours, or is broken. */
export function coloursOf(hex: string): Colours | undefined {
  const record = Buffer.from(hex, 'hex');
  if (record.length < 8 || record[0] !== 1 || (record[5]! & 31) === 0) return undefined;
  const sps = record.subarray(8, 8 + record.readUInt16BE(6));
  try {
    return readColours(new Bits(withoutEscapes(sps).subarray(1)));
  } catch (error) {
    if (error instanceof RangeError) return undefined;
    throw error;
  }
}

/** 00 00 03 stands for 00 00 (ITU-T H.264, 7.3.1). */
function withoutEscapes(nal: Buffer): Buffer {
  return Buffer.from(nal.filter((byte, i) => !(byte === 3 && i >= 2 && nal[i - 1] === 0 && nal[i - 2] === 0)));
}

class Bits {
  #at = 0;

  constructor(private readonly bytes: Buffer) {}

  /** Throws RangeError behind the end. */
  take(count: number): number {
    let value = 0;
    for (let i = 0; i < count; i++, this.#at++) {
      const byte = this.bytes[this.#at >> 3];
      if (byte === undefined) throw new RangeError('behind the end');
      value = value * 2 + ((byte >> (7 - (this.#at & 7))) & 1);
    }
    return value;
  }

  flag(): boolean {
    return this.take(1) === 1;
  }

  /** ue(v), 9.1. se(v) is as long. */
  golomb(): number {
    let zeros = 0;
    while (!this.flag()) if (++zeros > 32) throw new RangeError('no such number');
    return 2 ** zeros - 1 + this.take(zeros);
  }

  skip(golombs: number): void {
    for (let i = 0; i < golombs; i++) this.golomb();
  }
}

/** Profiles whose parameter sets say more of the format of chroma (7.3.2.1.1). */
const chromatic: ReadonlySet<number> = new Set([44, 83, 86, 100, 110, 118, 122, 128, 134, 135, 138, 139, 244]);
const yuv444 = 3;
const ownAspect = 255;

/** seq_parameter_set_data (7.3.2.1.1) up to the middle of vui_parameters (E.1.1). */
function readColours(bits: Bits): Colours | undefined {
  const profile = bits.take(8);
  bits.take(16);
  bits.golomb();
  if (chromatic.has(profile)) skipChroma(bits);
  bits.golomb();
  const order = bits.golomb();
  if (order === 0) bits.golomb();
  if (order === 1) {
    bits.take(1);
    bits.skip(2);
    bits.skip(bits.golomb());
  }
  bits.golomb();
  bits.take(1);
  bits.skip(2);
  const progressive = bits.flag();
  if (!progressive) bits.take(1);
  bits.take(1);
  if (bits.flag()) bits.skip(4);
  const hasUsability = bits.flag();
  if (!hasUsability) return undefined;
  if (bits.flag() && bits.take(8) === ownAspect) bits.take(32);
  if (bits.flag()) bits.take(1);
  const hasSignal = bits.flag();
  if (!hasSignal) return undefined;
  bits.take(3);
  const fullRange = bits.flag();
  if (!bits.flag()) return { fullRange };
  bits.take(16);
  return { fullRange, matrix: bits.take(8) };
}

function skipChroma(bits: Bits): void {
  const chroma = bits.golomb();
  if (chroma === yuv444) bits.take(1);
  bits.skip(2);
  bits.take(1);
  if (!bits.flag()) return;
  for (let list = 0; list < (chroma === yuv444 ? 12 : 8); list++)
    if (bits.flag()) skipScaling(bits, list < 6 ? 16 : 64);
}

/** scaling_list (7.3.2.1.1.1): it ends early where the next scale is 0. */
function skipScaling(bits: Bits, size: number): void {
  let last = 8;
  let next = 8;
  for (let i = 0; i < size; i++) {
    if (next !== 0) {
      const code = bits.golomb();
      const delta = code % 2 === 1 ? (code + 1) / 2 : -code / 2;
      next = (last + delta + 256) % 256;
    }
    if (next !== 0) last = next;
  }
}
