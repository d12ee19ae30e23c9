/** RTMP's chunk stream (Adobe RTMP 1.0, section 5): bytes to messages and back; both ends of the tests speak it. */

export interface Message {
  /** 1 set chunk size, 3 acknowledgement, 4 user control, 5 window size, 6 peer bandwidth, 8 audio, 9 video, 18 data, 20 command. */
  readonly type: number;
  readonly streamId: number;
  /** Milliseconds, 32 bits. */
  readonly timestamp: number;
  readonly body: Buffer;
}

interface ChunkStream {
  type: number;
  streamId: number;
  timestamp: number;
  delta: number;
  extended: boolean;
  length: number;
  parts: Buffer[];
  got: number;
}

export const handshakeBytes = 1536;
const headerBytes = [11, 7, 3, 0] as const;

/** Cuts bytes, in whatever pieces they come, into messages; follows changes of the chunk size by itself. */
export class ChunkReader {
  /** Bytes a chunk carries at most, as the other side said; 128 until it does. */
  chunkSize = 128;
  /** Each chunk size that was set, in order. */
  readonly chunkSizes: number[] = [];
  #rest: Buffer = Buffer.alloc(0);
  readonly #streams = new Map<number, ChunkStream>();

  *push(bytes: Buffer): Generator<Message> {
    this.#rest = this.#rest.length === 0 ? bytes : Buffer.concat([this.#rest, bytes]);
    for (;;) {
      const step = this.#chunk(this.#rest);
      if (!step) return;
      this.#rest = this.#rest.subarray(step.used);
      const message = step.message;
      if (!message) continue;
      if (message.type === 1) {
        this.chunkSize = message.body.readUInt32BE() & 0x7fffffff;
        this.chunkSizes.push(this.chunkSize);
      }
      yield message;
    }
  }

  /** The chunk at the start of `bytes`, or nothing if it is not whole yet. */
  #chunk(bytes: Buffer): { used: number; message?: Message } | undefined {
    const first = bytes[0];
    if (first === undefined) return undefined;
    const format = (first >> 6) as 0 | 1 | 2 | 3;
    const small = first & 63;
    let at = small === 0 ? 2 : small === 1 ? 3 : 1;
    if (bytes.length < at + headerBytes[format]) return undefined;
    const id = small === 0 ? 64 + bytes[1]! : small === 1 ? 64 + bytes[1]! + 256 * bytes[2]! : small;

    const known = this.#streams.get(id);
    if (!known && format !== 0) throw new Error(`RTMP: chunk stream ${id} begins without a full header`);
    const stream: ChunkStream = known
      ? { ...known }
      : { type: 0, streamId: 0, timestamp: 0, delta: 0, extended: false, length: 0, parts: [], got: 0 };
    let time = 0;
    if (format <= 2) {
      time = bytes.readUIntBE(at, 3);
      stream.extended = time === 0xffffff;
    }
    if (format <= 1) {
      stream.length = bytes.readUIntBE(at + 3, 3);
      stream.type = bytes[at + 6]!;
    }
    if (format === 0) stream.streamId = bytes.readUInt32LE(at + 7);
    at += headerBytes[format];
    if (stream.extended) {
      if (bytes.length < at + 4) return undefined;
      if (format <= 2) time = bytes.readUInt32BE(at);
      at += 4;
    }
    const begins = stream.got === 0;
    if (begins) {
      if (format === 0) stream.timestamp = time;
      else {
        if (format <= 2) stream.delta = time;
        stream.timestamp = (stream.timestamp + stream.delta) >>> 0;
      }
      if (format === 0) stream.delta = 0;
    }
    const take = Math.min(this.chunkSize, stream.length - stream.got);
    if (bytes.length < at + take) return undefined;
    stream.parts = [...stream.parts, bytes.subarray(at, at + take)];
    stream.got += take;
    this.#streams.set(id, stream);
    if (stream.got < stream.length) return { used: at + take };
    const body = Buffer.concat(stream.parts);
    stream.parts = [];
    stream.got = 0;
    return {
      used: at + take,
      message: { type: stream.type, streamId: stream.streamId, timestamp: stream.timestamp, body },
    };
  }
}

/** The bytes of one message: a full header, then chunks of at most `chunkSize`. */
export function chunked(chunkStreamId: number, message: Message, chunkSize: number): Buffer {
  const extended = message.timestamp >= 0xffffff;
  const head = Buffer.alloc(12 + (extended ? 4 : 0));
  head[0] = chunkStreamId;
  head.writeUIntBE(extended ? 0xffffff : message.timestamp, 1, 3);
  head.writeUIntBE(message.body.length, 4, 3);
  head[7] = message.type;
  head.writeUInt32LE(message.streamId, 8);
  if (extended) head.writeUInt32BE(message.timestamp, 12);
  const parts: Buffer[] = [head];
  for (let at = 0; at < message.body.length || at === 0; at += chunkSize) {
    if (at > 0) parts.push(Buffer.from([0xc0 | chunkStreamId]), ...(extended ? [head.subarray(12)] : []));
    parts.push(message.body.subarray(at, at + chunkSize));
  }
  return Buffer.concat(parts);
}

/** A message of one 32-bit number: chunk size, acknowledgement, window size. */
export function control(type: number, value: number, more: readonly number[] = []): Message {
  const body = Buffer.alloc(4);
  body.writeUInt32BE(value);
  return { type, streamId: 0, timestamp: 0, body: Buffer.concat([body, Buffer.from(more)]) };
}
