/** A subscriber that keeps every tag as it came, with its time of arrival: it decodes nothing, so it costs and delays next to nothing. */
import { writeFile } from 'node:fs/promises';
import { connect, type Socket } from 'node:net';
import { encodeAmf, decodeAmf, type Amf } from './amf.js';
import { Feed, within } from '../feed.js';
import { flvFile, isPicture, isSound, isVideoKey, wallClock, type ArrivedTag } from '../content/flv.js';
import { ChunkReader, chunked, control, handshakeBytes } from './wire.js';

const windowBytes = 2_500_000;

export class Subscription implements AsyncDisposable {
  readonly tags = new Feed<ArrivedTag>('tags at the subscriber');
  /** Names of `onStatus` codes as they come, such as `NetStream.Play.Start`. */
  readonly statuses = new Feed<string>('statuses at the subscriber');
  /** Resolves when the server (or `stop`) has closed the connection. */
  readonly closed: Promise<void>;
  #got = 0;
  #acknowledged = 0;

  constructor(
    private readonly socket: Socket,
    private readonly application: string,
    private readonly tcUrl: string,
    private readonly name: string,
  ) {
    socket.on('error', () => undefined);
    this.closed = new Promise((resolve) => socket.once('close', () => resolve()));
  }

  #command(streamId: number, ...values: Amf[]): void {
    this.socket.write(chunked(3, { type: 20, streamId, timestamp: 0, body: encodeAmf(...values) }, 128));
  }

  /** Shakes hands and asks to play; resolves once the server knows the wish. */
  async start(): Promise<void> {
    const reader = new ChunkReader();
    let shaken = 0;
    let skip = 1 + 2 * handshakeBytes; // S0, S1 and S2 say nothing that matters here.
    const asked = new Promise<void>((resolve) => {
      this.socket.on('data', (bytes: Buffer) => {
        const at = wallClock();
        this.#acknowledge(bytes.length);
        if (skip > 0) {
          const rest = bytes.subarray(skip);
          const s1Before = shaken >= 1 + handshakeBytes;
          shaken += bytes.length - rest.length;
          skip -= bytes.length - rest.length;
          if (!s1Before && shaken >= 1 + handshakeBytes) this.#connect();
          bytes = rest;
        }
        for (const message of reader.push(bytes)) {
          if (message.type === 20) this.#reply(message.body, resolve);
          else if (message.type === 8 || message.type === 9 || message.type === 18)
            this.tags.push({ type: message.type, timestamp: message.timestamp, body: message.body, at });
        }
      });
    });
    this.socket.write(Buffer.concat([Buffer.from([3]), Buffer.alloc(handshakeBytes)]));
    await within(
      Promise.race([asked, this.closed.then(() => Promise.reject(new Error('the server closed')))]),
      10_000,
      `subscribing to ${this.tcUrl}`,
    );
  }

  #connect(): void {
    this.socket.write(Buffer.alloc(handshakeBytes));
    this.socket.write(chunked(2, control(5, windowBytes), 128));
    this.#command(0, 'connect', 1, {
      app: this.application,
      tcUrl: this.tcUrl,
      flashVer: 'LNX 9,0,124,2',
      fpad: false,
    });
  }

  #reply(body: Buffer, asked: () => void): void {
    const [name, transaction, , info] = decodeAmf(body);
    if (name === '_result' && transaction === 1) this.#command(0, 'createStream', 2, null);
    else if (name === '_result' && transaction === 2) {
      this.#command(Number(info), 'play', 0, null, this.name);
      asked();
    } else if (name === 'onStatus' && info && typeof info === 'object' && !Array.isArray(info))
      this.statuses.push(String(info['code']));
  }

  #acknowledge(bytes: number): void {
    this.#got += bytes;
    if (this.#got - this.#acknowledged < windowBytes / 2) return;
    this.#acknowledged = this.#got;
    this.socket.write(chunked(2, control(3, this.#got % 2 ** 32), 128));
  }

  /** The first keyframe from tag number `from` on. */
  async keyframe(deadlineMs = 15_000, from = 0): Promise<ArrivedTag> {
    return this.tags.waitFor(isVideoKey, deadlineMs, from);
  }

  /**
   * Writes what came so far, timestamps untouched, as an FLV file; with `from`, only what came from that tag number on, and
   * the metadata and sequence headers before it.
   */
  async save(file: string, from = 0): Promise<void> {
    await writeFile(
      file,
      flvFile(this.tags.items.filter((tag, index) => index >= from || !(isPicture(tag) || isSound(tag)))),
    );
  }

  async stop(): Promise<void> {
    this.socket.destroy();
    await this.closed;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
  }
}

/**
 * Subscribes to `rtmp://host[:port]/application/name`. The stream need not be published yet: nginx-rtmp keeps a subscriber
 * waiting and serves it from the publisher's first message on.
 */
export async function subscribe(url: string): Promise<Subscription> {
  const match = /^rtmp:\/\/([^/:]+)(?::(\d+))?\/(.+)\/([^/]+)$/.exec(url);
  if (!match) throw new Error(`not an RTMP URL with an application and a name: ${url}`);
  const [, host, port, application, name] = match as unknown as [string, string, string | undefined, string, string];
  const socket = connect(Number(port ?? 1935), host);
  socket.setNoDelay(true);
  const subscription = new Subscription(socket, application, url.slice(0, url.lastIndexOf('/')), name);
  try {
    await subscription.start();
  } catch (error) {
    await subscription.stop();
    throw error;
  }
  return subscription;
}
