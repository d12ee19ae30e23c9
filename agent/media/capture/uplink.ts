/** Capture's end of the socket to the hub: connects again when delivery was replaced, and tells a new hub what it missed. */
import { statSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { formatTag, type StreamFormat } from '../../formats/flv/metadata.js';
import { isAacHeader, isAvcHeader, TagCutter, type Tag } from '../../formats/flv/tag.js';

/** `FLV`, version 1, sound and picture, header size 9, no tag before: tells the hub that a stream begins. */
const beginning = Buffer.from([0x46, 0x4c, 0x56, 1, 5, 0, 0, 0, 9, 0, 0, 0, 0]);

/** A hub that takes nothing for so long that this many bytes wait is stuck: the connection is given up. */
const maxWaitingBytes = 8_000_000;
const retryMs = 20;

export class Uplink {
  #socket: Socket | undefined;
  /** Which of the sockets that were at this path one after the other it is connected to. */
  #which: string | undefined;
  #format: StreamFormat | undefined;
  /** Sequence headers of the stream that is on, for a hub that was not there when they passed. */
  #headers: { video?: Tag; audio?: Tag } = {};

  /** `joined`: a hub is there and waits for a keyframe. */
  constructor(
    private readonly path: string,
    private readonly joined: () => void,
  ) {
    this.#connect();
  }

  /** A new stream follows. */
  begin(format: StreamFormat): void {
    this.#format = format;
    this.#headers = {};
    this.#write(formatTag(format));
  }

  /** Whole tags, as they came from flvmux. */
  send(tags: Buffer): void {
    if (!this.#headers.video || !this.#headers.audio) this.#learn(tags);
    this.#write(tags);
  }

  /**
   * Another hub listens in the place of the one that it is connected to: that has been left behind, by a kill that could not end it
   * (a card hangs in which it writes), and its connection lasts for as long.
   */
  look(): void {
    const which = identity(this.path);
    if (which !== undefined && this.#which !== undefined && which !== this.#which) this.#socket?.destroy();
  }

  close(): void {
    this.#socket?.removeAllListeners('close').destroy();
  }

  #learn(tags: Buffer): void {
    for (const piece of new TagCutter().push(tags)) {
      if (piece.begin) continue;
      if (isAvcHeader(piece.tag)) this.#headers.video = piece.tag;
      if (isAacHeader(piece.tag)) this.#headers.audio = piece.tag;
    }
  }

  #write(bytes: Buffer): void {
    const socket = this.#socket;
    if (!socket || socket.connecting || socket.destroyed) return;
    if (socket.writableLength > maxWaitingBytes) socket.destroy();
    else socket.write(bytes);
  }

  #connect(): void {
    const socket = connect(this.path);
    this.#socket = socket;
    this.#which = undefined;
    socket.on('connect', () => {
      this.#which = identity(this.path);
      if (!this.#format) return;
      this.#write(formatTag(this.#format));
      this.#write(beginning);
      for (const header of Object.values(this.#headers)) this.#write(header);
      this.joined();
    });
    socket.on('error', () => undefined); // 'close' follows, and tries again.
    socket.on('close', () => setTimeout(() => this.#connect(), retryMs));
  }
}

/** Numbers of files are used again; with the time at which it was made they tell two apart. Undefined where there is none. */
function identity(path: string): string | undefined {
  const file = statSync(path, { bigint: true, throwIfNoEntry: false });
  return file && `${file.ino} ${file.ctimeNs}`;
}
