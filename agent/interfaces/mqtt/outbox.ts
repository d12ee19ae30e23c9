/** What goes out: state, info, what became of documents, figures, events and answers; no secret in any of it. */
import { rowOf } from '../../config/settings.js';
import type { Line } from '../../log.js';
import { temperature } from '../../machine/host/health.js';
import { Fault } from '../../errors.js';
import { commandNames, refused, type Answer } from '../../control/commands.js';
import type { Connection, SendOptions, Protocol } from './connection.js';
import { announcement } from './discovery.js';
import { Events } from './events.js';
import { maxBytes } from './payload.js';
import { reported } from './reported.js';
import type { MqttDependencies } from './dependencies.js';
import { fixed, topics, updates, type Payload } from './topics.js';

const { min, max } = rowOf('video.bitrateKbps')?.form as { readonly min: number; readonly max: number };
const bitrateRange = { min, max };

const stateName = 'announced';
const stateFormat = 1;
const tooLong = (bytes: number): Fault =>
  new Fault(
    'command_failed',
    `The answer is longer than the MQTT broker accepts (${bytes} bytes).`,
    'Raise its maximum packet size.',
  );

const isTopic = (value: unknown): value is string => typeof value === 'string';

export class Outbox {
  /** Everything goes over it; without one nothing does. */
  #connection: Connection | undefined;
  #id = '';
  /** What the device's own topics begin with, at this broker. */
  #prefix = '';
  /** What stands at the broker. */
  #state = '';
  #reported = '';
  /** Topic of the announcement that stands, on the card too: what is switched off by a restart must still be taken away. */
  #announced = '';
  /** One after the other. */
  #announcing: Promise<void> = Promise.resolve();
  #protocol: Protocol = '5';
  #measuring: NodeJS.Timeout | undefined;
  readonly #events: Events<Payload<'event'>>;

  /** `boot`: another one with each start of the program. `stateSaid`: our state stands at the broker. */
  constructor(
    private readonly deps: MqttDependencies,
    private readonly boot: string,
    private readonly stateSaid: () => void,
  ) {
    this.#events = new Events((event, lost) => this.#say('event', event, { lost }));
  }

  /** What the card holds. */
  async open(): Promise<void> {
    this.#announced = (await this.deps.storage.readState(stateName, stateFormat, isTopic)) ?? '';
  }

  /** A topic of this device. */
  topic(name: string): string {
    return this.#prefix + name;
  }

  /** From now on as `id` to another broker, or none. */
  address(id: string, prefix: string): void {
    this.#connection = undefined;
    [this.#id, this.#prefix] = [id, prefix];
  }

  use(connection: Connection): void {
    this.#connection = connection;
  }

  /** All that a broker must be told that knows nothing yet. */
  connected(protocol: Protocol): void {
    this.#protocol = protocol;
    this.#state = '';
    this.#reported = '';
    this.inform();
    this.sayState();
    this.sayReported();
    this.#events.flush();
    this.measure();
  }

  stop(): void {
    clearTimeout(this.#measuring);
  }

  /** Sends what waits. */
  flush(): void {
    this.#events.flush();
  }

  answer(name: string, answer: Answer): void {
    // What a stranger has put there comes back as an answer on a topic of ours: only names that can be.
    const safe = /^[a-z-]{1,32}$/.test(name) ? name : 'unknown';
    const topic = this.topic(topics.ack.topic.replace('{command}', safe));
    const say = (what: Answer): boolean => this.#publish(topic, topics.ack, what, { isAnswer: true });
    if (say(answer) || answer.result === undefined) return;
    const limit = this.#connection?.maxPayloadBytes(topic) ?? Infinity;
    // It has been done all the same, but who has asked for a picture has none.
    if (Buffer.byteLength(JSON.stringify(answer)) > limit) say(refused(answer.id, tooLong(limit)));
  }

  /** What it is and can do. */
  inform(): void {
    void this.deps.board().then((board) => {
      this.#say('info', {
        id: this.#id,
        boot: this.boot,
        release: this.deps.version,
        node: process.version,
        architecture: process.arch,
        ...(board === undefined ? {} : { board }),
        protocol: this.#protocol,
        groups: this.deps.steering.resolved.settings.mqtt.groups,
        commands: commandNames,
      });
      this.#announcing = this.#announcing.then(() => this.#announce(board));
    });
  }

  /** Under the user's own name, as the example's rules have it; taken away again where it is switched off, or stands elsewhere now. */
  async #announce(board: string | undefined): Promise<void> {
    const { discovery, discoveryPrefix, telemetrySeconds } = this.deps.steering.resolved.settings.mqtt;
    const topic = discovery ? `${discoveryPrefix}/device/${this.#id}/config` : '';
    if (this.#announced !== '' && this.#announced !== topic) {
      if (!this.#connection?.publish(this.#announced, '', { qos: 1, retain: true })) return;
      await this.#keep('');
    }
    if (topic === '') return;
    // On the card before it is there: what nobody knows of any more would stay for ever.
    await this.#keep(topic);
    const [id, prefix, release] = [this.#id, this.topic(''), this.deps.version];
    const payload = announcement({ id, prefix, release, board, bitrate: bitrateRange, telemetrySeconds });
    // Of nothing but the id, the release and the board: what were hidden in there would be a part of its topics.
    this.#connection?.publish(topic, JSON.stringify(payload), { qos: 1, retain: true });
  }

  async #keep(announced: string): Promise<void> {
    this.#announced = announced;
    await this.deps.storage.writeState(stateName, stateFormat, announced);
  }

  /** `state`: what it is about to be, where the status does not say so yet. */
  sayState(state?: 'stopped'): void {
    if (!this.#connection) return;
    const { actual, wanted, balena } = this.deps.control.status();
    const update = updates.find((word) => word === balena?.update);
    const payload: Payload<'state'> = {
      state: state ?? actual,
      wanted,
      ...(update && { update }),
      ...(update && balena?.letInAt !== undefined && { updateAt: balena.letInAt }),
      boot: this.boot,
    };
    const text = JSON.stringify(payload);
    if (text === this.#state) return;
    // What was sent over a connection that the broker was about to close does not stand there.
    if (!this.#publish(this.topic('state'), topics.state, payload, { acknowledged: this.stateSaid })) return;
    this.#state = text;
  }

  /** Something else stands at the broker in its place. */
  sayStateAgain(): void {
    this.#state = '';
    this.sayState();
  }

  sayReported(): void {
    const limit = this.#connection?.maxPayloadBytes(this.topic(topics.reported.topic)) ?? Infinity;
    const payload = reported(this.deps.steering.report(), Math.min(maxBytes, limit));
    const text = JSON.stringify(payload);
    if (text !== this.#reported && this.#say('reported', payload)) this.#reported = text;
  }

  /** Figures now, and from now on at their pace. */
  measure(): void {
    clearTimeout(this.#measuring);
    const { telemetrySeconds } = this.deps.steering.resolved.settings.mqtt;
    this.#measuring = setTimeout(() => this.measure(), telemetrySeconds * 1000);
    this.#measuring.unref();
    if (!this.#connection?.isConnected) return;
    void temperature().then((degrees) => this.#say('telemetry', this.#figures(degrees)));
  }

  #figures(degrees: number | undefined): Payload<'telemetry'> {
    const { actual, uptimeSeconds, hub, video, outputs, strain } = this.deps.control.status();
    return {
      at: this.#now(),
      boot: this.boot,
      uptimeSeconds,
      state: actual,
      ...(degrees === undefined ? {} : { temperature: degrees }),
      ...(strain ? { strain } : {}),
      memoryMb: Math.round(process.memoryUsage.rss() / 1e5) / 10,
      ...(hub ? { fps: hub.fps, kbps: hub.kbps } : {}),
      ...(video?.bitrateKbps === undefined ? {} : { bitrateKbps: video.bitrateKbps }),
      outputs: Object.fromEntries(
        Object.entries(outputs).map(([name, { state, deliveredKbps, queuedMs, droppedFrames }]) => [
          name,
          { state, deliveredKbps, queuedMs, droppedFrames },
        ]),
      ),
    };
  }

  event({ level, event, message }: Line): void {
    if (event === 'status' || this.deps.steering.resolved.settings.mqtt.url === '') return;
    this.#events.add({ at: this.#now(), boot: this.boot, level, event, message });
  }

  #now(): string {
    return new Date(this.deps.wallMs()).toISOString();
  }

  #say<K extends 'info' | 'reported' | 'telemetry' | 'event'>(
    name: K,
    payload: Payload<K>,
    options?: SendOptions,
  ): boolean {
    return this.#publish(this.topic(topics[name].topic), topics[name], payload, options);
  }

  /** Everything that leaves passes here, and no text in it keeps a secret. */
  #publish(
    topic: string,
    { qos, retain }: { readonly qos: 0 | 1; readonly retain: boolean },
    payload: object,
    options?: SendOptions,
  ): boolean {
    const { redactor } = this.deps.log;
    const id = this.#id;
    const lists = new Set<unknown>();
    const text = JSON.stringify(payload, function (this: unknown, name, value: unknown) {
      if (open.has(name) && Array.isArray(value)) lists.add(value);
      const isOpen = open.has(name) || lists.has(this) || value === id;
      return typeof value === 'string' && !isOpen ? redactor.redact(value) : value;
    });
    return this.#connection?.publish(topic, text, { qos, retain }, options) ?? false;
  }
}

/**
 * Fields in which nothing is hidden. In what is made of chance a short secret would be found that is none, and a word out of a fixed few
 * says nothing about a key that happens to be the same: a device whose stream key is "live" must still be able to say that it is. Of
 * codes and events there are too many to be listed in the table. Our id stands in every topic.
 */
const open: ReadonlySet<string> = new Set([...fixed, 'code', 'event', 'boot', 'hash', 'jpeg']);
