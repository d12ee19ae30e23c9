/** The connection to the broker: made, watched, made again with backoff; it holds nothing back while there is none. */
import { createRequire } from 'node:module';
import type { Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import type { IClientOptions, MqttClient, connect as mqttConnect } from 'mqtt';
import type { Clock } from '../../clock.js';
import type { MqttSettings } from '../../config/settings.js';
import { Fault } from '../../errors.js';
import { readRegular } from '../../machine/storage/regular.js';
import { Backoff } from '../../broadcast/backoff.js';
import { Packets } from './packets.js';
import { maxBytes } from './payload.js';
import { disconnected, excessive, explained, unread } from './reasons.js';

export type Protocol = '5' | '3.1.1';

export interface Message {
  readonly topic: string;
  readonly payload: Buffer;
  readonly retained: boolean;
}

export interface Subscription {
  readonly topic: string;
  /** What comes is `retained` as it was published, also while the connection stands. Only MQTT 5 can tell. */
  readonly asPublished?: true;
}

export interface ConnectionEvents {
  /** At every connection. */
  subscriptions(): readonly Subscription[];
  connected(protocol: Protocol): void;
  message(message: Message): void;
  /** Whether the broker lets us read a topic. */
  subscribed(topic: string, isGranted: boolean): void;
  /** It could not be made, or was lost, and is tried again. */
  lost(fault: Fault): void;
  /** The broker has given this client's place to another of the same name. */
  takenOver(): void;
}

/** How a message is sent, besides QoS and retain flag. */
export interface SendOptions {
  readonly isAnswer?: true;
  /** The broker has acknowledged it. */
  readonly acknowledged?: () => void;
  /** It was sent, and the broker has not acknowledged it. */
  readonly lost?: () => void;
}

/** So many bytes may wait in the socket before figures and events are left out: the broker, or the network on the way to it, is stuck. */
const maxWaitingBytes = 256 * 1024;
/** And before answers are: whoever asked for a picture over a slow uplink must still get the other answers. */
const maxAnswerBytes = 4 * 1024 * 1024;
const connectMs = 10_000;
/** After one and a half times as long the broker takes us for lost, and we the broker. */
const keepaliveSeconds = 30;
/** A thousand devices that lose their broker reconnect spread over this time. */
const spreadMs = 10_000;
/** How long a try waits for the next after it: see Backoff, which spreads each wait. */
const maxWaitMs = 30_000;
const firstWaitMs = 2000;
/** Of a PUBLISH, besides topic and payload: type, length of the rest, length of the topic, number, no properties. */
const headBytes = 1 + 4 + 2 + 2 + 1;
/** A packet from the broker may be so long: the longest payload that is read, with its topic and its properties. */
const maxIncomingBytes = maxBytes + 4096;
/** Brokers put several packets into one frame of a WebSocket. */
const maxFrameBytes = 4 * maxIncomingBytes;
/** What acknowledgements may wait in the socket: a broker that keeps sending and reads none is disconnected. */
const maxUnreadBytes = 8 * 1024 * 1024;
/** A message that is too long is most likely retained, and comes again at every connection. */
const maxRareMs = 30 * 60_000;
const firstRareMs = 10_000;
/** A topic for which the broker closes the connection is left out for this long. */
const forbiddenMs = 60 * 60_000;
/** For an orderly end. */
const endMs = 1000;

export class Connection {
  #client: MqttClient | undefined;
  #protocol: Protocol = '5';
  #connected = false;
  /** The broker disconnects clients that send longer ones. */
  #maxPacketBytes = Infinity;
  #stopped = false;
  #waiting: NodeJS.Timeout | undefined;
  readonly #backoff: Backoff;
  /** After what is too long: tried rarely. */
  readonly #rare: Backoff;
  /** Topics that the broker has not answered for, in the order in which it was asked. */
  #asked: string[] = [];
  /** The connection was closed while the broker was to answer for it. */
  #suspect: string | undefined;
  /** Topics for which the broker closes the connection, and until when it is not asked again. */
  readonly #forbidden = new Map<string, number>();
  readonly #steady: NodeJS.Timeout;

  /** `will`: what the broker publishes when we disconnect without notice; undefined: nothing. `clockIsSet`: whether certificate dates can be judged. */
  constructor(
    private readonly settings: MqttSettings,
    private readonly clientId: string,
    private readonly will: { readonly topic: string; readonly payload: string } | undefined,
    private readonly events: ConnectionEvents,
    private readonly clock: Clock,
    private readonly clockIsSet: () => boolean,
  ) {
    this.#backoff = new Backoff(clock, maxWaitMs, firstWaitMs);
    this.#rare = new Backoff(clock, maxRareMs, firstRareMs);
    this.#steady = setInterval(() => {
      if (!this.#connected) return;
      this.#backoff.progress();
      this.#rare.progress();
    }, 1000);
    this.#steady.unref();
  }

  get isConnected(): boolean {
    return this.#connected;
  }

  /** Whether what is sent crosses the network encrypted. */
  get isPrivate(): boolean {
    return /^(mqtts|wss):/.test(this.settings.url);
  }

  start(): void {
    void this.#open();
  }

  /** Length (bytes) of the longest payload that the broker takes on `topic`; MQTT 5 tells, 3.1.1 does not. */
  maxPayloadBytes(topic: string): number {
    return this.#maxPacketBytes - headBytes - Buffer.byteLength(topic);
  }

  /** False where it was left out: there is no connection, nothing gets through, or it is too long for the broker. */
  publish(
    topic: string,
    payload: string,
    options: { readonly qos: 0 | 1; readonly retain: boolean },
    send: SendOptions = {},
  ): boolean {
    const client = this.#client;
    if (!client || !this.#connected || Buffer.byteLength(payload) > this.maxPayloadBytes(topic)) return false;
    const full = (client.stream as unknown as { writableLength?: number }).writableLength ?? 0;
    if (full > (send.isAnswer ? maxAnswerBytes : maxWaitingBytes) && !options.retain) return false;
    const { qos, retain } = options;
    client.publish(topic, payload, { qos, retain }, (error) => (error ? send.lost : send.acknowledged)?.());
    return true;
  }

  /** Each separately: a broker that closes the connection because it forbids one topic takes no other topic along. */
  subscribe(subscriptions: readonly Subscription[]): void {
    const now = this.clock.now();
    for (const { topic, asPublished = false } of subscriptions) {
      if ((this.#forbidden.get(topic) ?? -Infinity) > now) this.events.subscribed(topic, false);
      else this.#subscribe(topic, asPublished);
    }
  }

  #subscribe(topic: string, asPublished: boolean): void {
    const client = this.#client;
    if (!client) return;
    this.#asked.push(topic);
    client.subscribe({ [topic]: { qos: 1, rap: asPublished, nl: false, rh: 0 } }, (_error, _topics, packet) => {
      const { granted } = (packet ?? {}) as { readonly granted?: readonly number[] };
      // None where the connection was lost before the answer.
      if (!granted || this.#client !== client || this.#stopped) return;
      this.#asked = this.#asked.filter((each) => each !== topic);
      if (this.#suspect === topic) this.#suspect = undefined;
      this.events.subscribed(topic, (granted[0] ?? 0) < notGranted);
    });
  }

  /** A broker answers in order: one that closes twice at the same topic forbids it. */
  #doubt(): void {
    const [topic] = this.#asked;
    this.#asked = [];
    if (topic !== undefined && this.#suspect === topic) {
      this.#forbidden.set(topic, this.clock.now() + forbiddenMs);
      this.#suspect = undefined;
    } else {
      this.#suspect = topic;
    }
  }

  unsubscribe(topics: readonly string[]): void {
    if (topics.length > 0) this.#client?.unsubscribe([...topics], () => undefined);
  }

  /** What it takes to say what of a broker's packets is too long. */
  get #bounds(): { url: string; topics: string[]; maxBytes: number } {
    const topics = this.events.subscriptions().map(({ topic }) => topic);
    return { url: this.settings.url, topics, maxBytes: maxIncomingBytes };
  }

  /** Ends it in order, so that what was published last arrives, and reconnects after `ms` at most, and half of it at least. */
  pause(ms: number): void {
    const client = this.#client;
    this.#client = undefined;
    if (client) {
      client.on('error', () => undefined);
      client.end(false);
      setTimeout(() => client.end(true), endMs).unref();
    }
    this.#drop();
    this.#cancel();
    this.#openIn(ms / 2 + (this.clock.random() * ms) / 2);
  }

  #openIn(ms: number): void {
    clearTimeout(this.#waiting);
    this.#waiting = setTimeout(() => void this.#open(), ms);
    this.#waiting.unref();
  }

  /** Ends it; in order, if that takes no longer than a second. */
  async stop(): Promise<void> {
    this.#stopped = true;
    this.#cancel();
    clearTimeout(this.#waiting);
    clearInterval(this.#steady);
    const client = this.#client;
    if (!client) return;
    if (this.#connected) {
      await Promise.race([
        new Promise<void>((resolve) => client.end(false, {}, () => resolve())),
        new Promise((resolve) => setTimeout(resolve, endMs).unref()),
      ]);
    }
    this.#drop();
  }

  #cancel(): void {
    this.#backoff.cancel();
    this.#rare.cancel();
  }

  async #open(): Promise<void> {
    this.#drop();
    try {
      const options = await this.#options();
      if (this.#stopped) return;
      // By require: as a module its many CommonJS files would take 12 MB more. Only here, for where there is no broker.
      const { connect } = createRequire(import.meta.url)('mqtt') as { connect: typeof mqttConnect };
      this.#listen(connect(this.settings.url, options));
    } catch (error) {
      this.#failed(error);
    }
  }

  #listen(client: MqttClient): void {
    this.#client = client;
    // What arrives while it ends comes from a broker that this device has left.
    const mine = (work: () => void): void => {
      if (this.#client === client && !this.#stopped) work();
    };
    let why: unknown;
    client.on('error', (error) => {
      const isLong = (error as { code?: unknown }).code === 'WS_ERR_UNSUPPORTED_MESSAGE_LENGTH';
      why ??= isLong ? excessive({ why: 'too long' }, this.#bounds) : error;
    });
    const packets = new Packets(maxIncomingBytes);
    // Before theirs, which gathers a packet until it is whole; within the same event, so that nothing else comes between.
    const stream = client.stream as unknown as Duplex;
    stream.prependListener('data', (chunk) => {
      const excess = packets.take(chunk as Buffer);
      const isUnread = stream.writableLength > maxUnreadBytes;
      if (why instanceof Fault || (!excess && !isUnread)) return;
      why = excess ? excessive(excess, this.#bounds) : unread(this.settings.url);
      stream.destroy();
    });
    client.on('connect', ({ properties }) =>
      mine(() => {
        this.#connected = true;
        this.#maxPacketBytes = properties?.maximumPacketSize ?? Infinity;
        // Small packets wait up to 40 ms for the acknowledgement of the one before, otherwise.
        (client.stream as unknown as Partial<Socket>).setNoDelay?.(true);
        this.subscribe(this.events.subscriptions());
        this.events.connected(this.#protocol);
      }),
    );
    client.on('message', (topic, payload, { retain }) =>
      mine(() => this.events.message({ topic, payload, retained: retain })),
    );
    client.on('disconnect', ({ reasonCode, properties }) => {
      if (reasonCode === sessionTakenOver) return mine(() => this.events.takenOver());
      why ??= disconnected(this.settings.url, reasonCode, properties?.reasonString);
    });
    client.on('close', () => mine(() => this.#failed(why)));
  }

  /** Where the broker does not speak the protocol that was tried, the other one is next. */
  #failed(error: unknown): void {
    const wasConnected = this.#connected;
    const code = (error as { code?: unknown } | undefined)?.code;
    if (wasConnected) this.#doubt();
    const unspoken = !wasConnected && (error === undefined || badVersions.includes(code));
    // What prevented version 5 once (a broker that had just started) may be gone by now.
    if (unspoken) this.#protocol = this.#protocol === '5' ? '3.1.1' : '5';
    else if (wasConnected) this.#protocol = '5';
    this.#drop();
    if (this.#stopped) return;
    if (error instanceof Fault && error.code === 'mqtt_too_long') {
      this.events.lost(error);
      return this.#rare.again(() => void this.#open());
    }
    if (unspoken && this.#protocol === '3.1.1') return void this.#open();
    this.events.lost(explained(error, wasConnected, this.settings.url, this.clockIsSet()));
    if (!wasConnected) return this.#backoff.again(() => void this.#open());
    // A device that was connected lost the broker together with all others.
    const spread = (): void => this.#openIn(this.clock.random() * spreadMs);
    if (!this.#backoff.isSteady) return this.#backoff.again(spread);
    this.#backoff.reset();
    spread();
  }

  #drop(): void {
    const client = this.#client;
    this.#client = undefined;
    this.#connected = false;
    if (!client) return;
    client.on('error', () => undefined);
    client.end(true);
  }

  async #options(): Promise<IClientOptions> {
    const { username, password, ca, cert, key } = this.settings;
    const file = async (name: 'ca' | 'cert' | 'key', path: string): Promise<IClientOptions> =>
      path === '' ? {} : { [name]: await pem(path) };
    return {
      protocolVersion: this.#protocol === '5' ? 5 : 4,
      clientId: this.clientId,
      clean: true,
      keepalive: keepaliveSeconds,
      connectTimeout: connectMs,
      // We reconnect ourselves, with backoff: theirs is a fixed period, at which a thousand devices would connect at once.
      reconnectPeriod: 0,
      resubscribe: false,
      // True by default, and gathers figures in memory for as long as there is no connection.
      queueQoSZero: false,
      // A broker that respects it drops longer messages, and neither side notices.
      ...(this.#protocol === '5' ? { properties: { maximumPacketSize: maxIncomingBytes } } : {}),
      // Of WebSockets, whose frames are gathered before there is a stream.
      // After one that is too long, ws waits for the broker to close, and reads on: 30 s, unless told otherwise.
      wsOptions: { maxPayload: maxFrameBytes, closeTimeout: endMs } as WebSocketOptions,
      ...(username === '' ? {} : { username }),
      ...(password === '' ? {} : { password }),
      ...(await file('ca', ca)),
      ...(await file('cert', cert)),
      ...(await file('key', key)),
      ...(this.will && {
        will: { topic: this.will.topic, payload: Buffer.from(this.will.payload), qos: 1, retain: true },
      }),
    };
  }
}

type WebSocketOptions = NonNullable<IClientOptions['wsOptions']>;

/** Bundles of authorities are some 250 kB. */
const maxPemBytes = 1024 * 1024;

async function pem(path: string): Promise<Buffer> {
  try {
    return await readRegular(path, maxPemBytes);
  } catch (error) {
    const { code = 'unknown error' } = error as NodeJS.ErrnoException;
    throw new Fault(
      'mqtt_tls',
      `The file ${JSON.stringify(path)} cannot be read (${code}).`,
      'Check mqtt.ca, mqtt.cert and mqtt.key.',
    );
  }
}

/** Reason codes of CONNACK: `unacceptable protocol version` of 3.1.1, `unsupported protocol version` and `protocol error` of 5. */
const badVersions: readonly unknown[] = [1, 0x84, 0x82];
const sessionTakenOver = 0x8e;
/** SUBACK: from here on a topic was not granted; of 3.1.1 and of 5. */
const notGranted = 0x80;
