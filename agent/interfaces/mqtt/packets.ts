/** Reads no more of a broker's packets than their lengths, as they come in, so that one that is too long is never held. Pure. */

/** What a broker has sent that is not taken. */
export interface Excess {
  readonly why: 'too long' | 'unasked';
  /** Bytes of the packet, as its length field says. */
  readonly bytes?: number;
  /** That of the message, where the packet is one and has come so far. */
  readonly topic?: string;
}

const publish = 3;
/** A length is four bytes at most, of seven bits each (MQTT 5, section 1.5.5); more is no MQTT. */
const lengthBytes = 4;

export class Packets {
  /** The first byte of the packet whose length is being read. */
  #type: number | undefined;
  #length = 0;
  #lengthAt = 0;
  /** Bytes of the packet that are still to come. */
  #rest = 0;

  /** `maxBytes`: of a packet, without its type and length. */
  constructor(private readonly maxBytes: number) {}

  /** Takes the next bytes of the stream; what comes after an excess is not to be taken. */
  take(chunk: Buffer): Excess | undefined {
    for (let at = 0; at < chunk.length;) {
      if (this.#rest > 0) {
        const step = Math.min(this.#rest, chunk.length - at);
        this.#rest -= step;
        at += step;
        continue;
      }
      const byte = chunk[at]!;
      at += 1;
      if (this.#type === undefined) {
        this.#type = byte;
        this.#length = 0;
        this.#lengthAt = 0;
        continue;
      }
      this.#length += (byte & 0x7f) * 2 ** (7 * this.#lengthAt);
      this.#lengthAt += 1;
      const isMore = (byte & 0x80) !== 0;
      if (isMore && this.#lengthAt < lengthBytes) continue;
      const excess = this.#judge(this.#type, chunk.subarray(at), isMore);
      if (excess) return excess;
      this.#rest = this.#length;
      this.#type = undefined;
    }
    return undefined;
  }

  #judge(type: number, body: Buffer, isEndless: boolean): Excess | undefined {
    const isMessage = type >> 4 === publish;
    // Nobody has subscribed with QoS 2, whose messages would be held until they are released.
    const isUnasked = isMessage && ((type >> 1) & 3) > 1;
    if (this.#length <= this.maxBytes && !isUnasked && !isEndless) return undefined;
    const length = isMessage && body.length >= 2 ? body.readUInt16BE(0) : 0;
    const topic = length > 0 && body.length >= 2 + length ? body.toString('utf8', 2, 2 + length) : undefined;
    const why = isUnasked && this.#length <= this.maxBytes ? 'unasked' : 'too long';
    return { why, bytes: this.#length, ...(topic === undefined ? {} : { topic }) };
  }
}
