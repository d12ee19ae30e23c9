/** A small RTMP server that does what a script says: for what nginx-rtmp cannot show (verbatim names, refusals, silence, garbage). */
import { createServer, type Server, type Socket } from 'node:net';
import { randomBytes } from 'node:crypto';
import { decodeAmf, encodeAmf, type Amf } from './amf.js';
import { refusal, type Account } from './adobe-auth.js';
import { Feed } from '../feed.js';
import { flvFile, wallClock, type ArrivedTag } from '../content/flv.js';
import { ChunkReader, chunked, control, handshakeBytes, type Message } from './wire.js';

/** What the server does, step by step; whatever is left out goes well. */
export interface Script {
  /** On TCP connect: say nothing, send garbage instead of the handshake, or close. */
  readonly handshake?: 'mute' | 'garbage' | 'close';
  /** On the `connect` command: say nothing, close, reset, or refuse with `NetConnection.Connect.Rejected` and this description. */
  readonly connect?: 'mute' | 'close' | 'reset' | { readonly reject: string };
  /** On `publish`: say nothing, close, reset, or answer with an error status such as `NetStream.Publish.BadName`, then leave the connection to the client. */
  readonly publish?: 'mute' | 'close' | 'reset' | { readonly status: string; readonly description?: string };
  /** Say yes to `publish` only so many milliseconds after it. */
  readonly acceptAfterMs?: number;
  /** Ask for `authmod=adobe` with this account. */
  readonly account?: Account;
  /** false: never send an acknowledgement. */
  readonly acknowledge?: boolean;
  /** Stop reading from the socket so many milliseconds after the publish (0: at once); TCP then fills up. */
  readonly stopReadingAfterMs?: number;
  /** Destroy the connection so many milliseconds after the publish. */
  readonly dropAfterMs?: number;
  /** Send garbage so many milliseconds after the publish. */
  readonly garbageAfterMs?: number;
}

export interface Command {
  readonly name: string;
  /** What follows the transaction id; the command object first. */
  readonly args: readonly Amf[];
  readonly at: number;
}

/** What a web server on the wrong port might say; long enough to stand for a whole handshake. */
const garbage = Buffer.from('HTTP/1.0 400 Bad Request\r\n'.repeat(160));

/** One TCP connection and all that came over it. */
export class Connection {
  readonly commands = new Feed<Command>('commands at the server');
  /** Media and metadata, headers included, as they came. */
  readonly tags = new Feed<ArrivedTag>('tags at the server');
  /** What happened, in order: `accepted`, `connect`, `publish`, `media`, `FCUnpublish`, `deleteStream`, `closeStream`, `fin`, `reset`, `closed`, `protocol: ...`. */
  readonly history = new Feed<string>('history at the server');
  readonly acceptedAt = wallClock();
  /** Application as `connect` gave it, query and all; undefined before. */
  app: string | undefined;
  tcUrl: string | undefined;
  /** All of `connect`'s command object. */
  connectObject: Readonly<Record<string, Amf>> = {};
  /** Stream name as `publish` gave it, verbatim. */
  name: string | undefined;
  bytes = 0;
  readonly #reader = new ChunkReader();
  readonly #timers = new Set<NodeJS.Timeout>();
  #handshake: Buffer = Buffer.alloc(0);
  #shaken = false;
  #acknowledged = 0;
  #window = 2_500_000;

  constructor(
    readonly socket: Socket,
    private readonly script: Script,
    private readonly published: (connection: Connection) => void,
  ) {}

  /** Short enough for an error message. */
  toJSON(): unknown {
    return { app: this.app, name: this.name, bytes: this.bytes, history: this.history.items };
  }

  /** Bytes a chunk held at most, each time the client changed it. */
  get chunkSizes(): readonly number[] {
    return this.#reader.chunkSizes;
  }

  /** FLV file of all that came. */
  flv(): Buffer {
    return flvFile(this.tags.items);
  }

  start(): void {
    this.history.push('accepted');
    this.socket.on('error', (error: NodeJS.ErrnoException) =>
      this.history.push(error.code === 'ECONNRESET' ? 'reset' : `error: ${error.message}`),
    );
    this.socket.on('end', () => this.history.push('fin'));
    this.socket.on('close', () => {
      for (const timer of this.#timers) clearTimeout(timer);
      this.history.push('closed');
    });
    this.socket.on('data', (bytes: Buffer) => {
      try {
        this.#data(bytes);
      } catch (error) {
        this.history.push(`protocol: ${(error as Error).message}`);
        this.socket.destroy();
      }
    });
    if (this.script.handshake === 'close') this.socket.destroy();
    if (this.script.handshake === 'garbage') this.socket.write(garbage);
  }

  #data(bytes: Buffer): void {
    this.bytes += bytes.length;
    if (this.script.handshake) return;
    if (!this.#shaken) {
      const before = this.#handshake.length;
      this.#handshake = Buffer.concat([this.#handshake, bytes]);
      const c1 = 1 + handshakeBytes;
      if (before < c1 && this.#handshake.length >= c1) {
        // S1 with version 0 keeps clients from asking for a signed handshake; S2 echoes C1.
        this.socket.write(
          Buffer.concat([
            Buffer.from([3]),
            Buffer.alloc(8),
            randomBytes(handshakeBytes - 8),
            this.#handshake.subarray(1, c1),
          ]),
        );
      }
      if (this.#handshake.length < c1 + handshakeBytes) return;
      this.#shaken = true;
      bytes = this.#handshake.subarray(c1 + handshakeBytes);
    }
    const at = wallClock();
    for (const message of this.#reader.push(bytes)) this.#message(message, at);
    if (this.script.acknowledge !== false && this.bytes - this.#acknowledged >= this.#window / 2) {
      this.#acknowledged = this.bytes;
      this.#send(2, control(3, this.bytes % 2 ** 32));
    }
  }

  #message(message: Message, at: number): void {
    if (message.type === 5) this.#window = message.body.readUInt32BE();
    else if (message.type === 20) this.#command(message, at);
    else if (message.type === 8 || message.type === 9 || message.type === 18) {
      if (this.tags.items.length === 0) this.history.push('media');
      // `@setDataFrame` is for servers: what follows it is what a file holds.
      const marker = encodeAmf('@setDataFrame');
      const body =
        message.type === 18 && message.body.subarray(0, marker.length).equals(marker)
          ? message.body.subarray(marker.length)
          : message.body;
      this.tags.push({ type: message.type, timestamp: message.timestamp, body, at });
    }
  }

  #command(message: Message, at: number): void {
    const [name, transaction, ...args] = decodeAmf(message.body);
    const command: Command = { name: String(name), args, at };
    this.history.push(command.name);
    switch (command.name) {
      case 'connect':
        this.#onConnect(args[0]);
        break;
      case 'createStream':
        this.#reply(0, '_result', transaction, null, 1);
        break;
      case 'releaseStream':
        this.#reply(0, '_result', transaction, null, undefined);
        break;
      case 'publish':
        this.#onPublish(message.streamId, String(args[1]));
        break;
      default: // FCPublish, FCUnpublish, deleteStream and the like want no answer.
    }
    this.commands.push(command);
  }

  #onConnect(object: Amf): void {
    this.connectObject = object && typeof object === 'object' && !Array.isArray(object) ? object : {};
    this.app = String(this.connectObject['app']);
    this.tcUrl = String(this.connectObject['tcUrl']);
    const action = this.script.connect;
    if (action === 'mute') return;
    if (action === 'close') return void this.socket.destroy();
    if (action === 'reset') return void this.socket.resetAndDestroy();
    const refused = action ? action.reject : this.script.account && refusal(this.app, this.script.account);
    if (refused !== undefined) {
      this.#reply(0, '_error', 1, null, {
        level: 'error',
        code: 'NetConnection.Connect.Rejected',
        description: refused,
      });
      this.socket.end();
      return;
    }
    this.#send(2, control(5, 2_500_000));
    this.#send(2, control(6, 2_500_000, [2]));
    this.#reply(
      0,
      '_result',
      1,
      { fmsVer: 'FMS/3,0,1,123', capabilities: 31 },
      {
        level: 'status',
        code: 'NetConnection.Connect.Success',
        description: 'Connection succeeded.',
        objectEncoding: 0,
      },
    );
  }

  #onPublish(streamId: number, name: string): void {
    this.name = name;
    const action = this.script.publish;
    if (action === 'mute') return;
    if (action === 'close') return void this.socket.destroy();
    if (action === 'reset') return void this.socket.resetAndDestroy();
    if (action) {
      this.#reply(streamId, 'onStatus', 0, null, {
        level: 'error',
        code: action.status,
        description: action.description ?? 'refused',
      });
      return;
    }
    if (this.script.acceptAfterMs === undefined) this.#accept(streamId);
    else this.#later(this.script.acceptAfterMs, () => this.#accept(streamId));
  }

  #accept(streamId: number): void {
    this.#send(2, { type: 4, streamId: 0, timestamp: 0, body: Buffer.from([0, 0, 0, 0, 0, streamId]) }); // stream begin
    this.#reply(streamId, 'onStatus', 0, null, {
      level: 'status',
      code: 'NetStream.Publish.Start',
      description: 'Start publishing',
    });
    this.published(this);
    const { stopReadingAfterMs, dropAfterMs, garbageAfterMs } = this.script;
    if (stopReadingAfterMs !== undefined) this.#later(stopReadingAfterMs, () => this.socket.pause());
    if (dropAfterMs !== undefined) this.#later(dropAfterMs, () => this.socket.destroy());
    if (garbageAfterMs !== undefined) this.#later(garbageAfterMs, () => this.socket.write(garbage));
  }

  #later(ms: number, action: () => void): void {
    if (ms === 0) action();
    else this.#timers.add(setTimeout(action, ms));
  }

  #reply(streamId: number, ...values: Amf[]): void {
    this.#send(3, { type: 20, streamId, timestamp: 0, body: encodeAmf(...values) });
  }

  #send(chunkStreamId: number, message: Message): void {
    if (this.socket.writable) this.socket.write(chunked(chunkStreamId, message, 128));
  }
}

export class RtmpServer implements AsyncDisposable {
  /** Connections in the order in which they came. */
  readonly connections = new Feed<Connection>('connections at the server');
  /** Those of them whose publish was accepted, in that order. */
  readonly publishes = new Feed<Connection>('publishes at the server');
  readonly #server: Server;

  /** `script` may be replaced at any time, and may depend on how many connections came before. */
  constructor(public script: Script | ((nth: number) => Script)) {
    this.#server = createServer({ noDelay: true }, (socket) => {
      const script = typeof this.script === 'function' ? this.script(this.connections.items.length) : this.script;
      const connection = new Connection(socket, script, (published) => this.publishes.push(published));
      connection.start();
      this.connections.push(connection);
    });
  }

  get port(): number {
    return (this.#server.address() as { port: number }).port;
  }

  url(application = 'live'): string {
    return `rtmp://127.0.0.1:${this.port}/${application}`;
  }

  async start(host = '127.0.0.1'): Promise<void> {
    await new Promise<void>((resolve, reject) => this.#server.once('error', reject).listen(0, host, resolve));
  }

  /** Connection number `index`, as soon as it is there. */
  async connection(index = 0, deadlineMs = 15_000): Promise<Connection> {
    return this.connections.waitFor((connection) => this.connections.items.indexOf(connection) >= index, deadlineMs);
  }

  /** The first connection, from number `from` of `publishes` on, that publishes `name` (any name if not given). */
  async published(name?: string, options: { deadlineMs?: number; from?: number } = {}): Promise<Connection> {
    return this.publishes.waitFor(
      (item) => name === undefined || item.name === name,
      options.deadlineMs ?? 15_000,
      options.from,
    );
  }

  async stop(): Promise<void> {
    for (const connection of this.connections.items) connection.socket.destroy();
    await new Promise((resolve) => this.#server.close(resolve));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
  }
}

/** Starts a server on a free port of 127.0.0.1 (or of `host`). */
export async function startRtmpServer(script: RtmpServer['script'] = {}, host?: string): Promise<RtmpServer> {
  const server = new RtmpServer(script);
  await server.start(host);
  return server;
}
