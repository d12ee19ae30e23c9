/** MQTT: documents and commands in; state, what became of them, figures and events out. */
import { randomUUID } from 'node:crypto';
import type { Clock } from '../../clock.js';
import { rowOf } from '../../config/merge.js';
import type { MqttSettings } from '../../config/settings.js';
import { Fault, type FaultReport } from '../../errors.js';
import type { Line, Log } from '../../log.js';
import { temperature } from '../../machine/health.js';
import { idOf, refused, type Answer, type Desk } from '../../supervisor/commands.js';
import { commandNames } from '../../supervisor/commands.js';
import type { LayerName, Steering } from '../../supervisor/steering.js';
import type { MqttStatus, Status } from '../../supervisor/status.js';
import type { Control, Interface } from '../interface.js';
import { Connection, type Message, type Protocol } from './connection.js';
import { Events } from './events.js';
import { announcement } from './discovery.js';
import { parse } from './payload.js';
import { reported } from './reported.js';
import { topics, updates, type Payload } from './topics.js';

/** What it needs of the program around it. */
export interface MqttSurroundings {
  readonly log: Log;
  readonly clock: Clock;
  /** ms since 1970. */
  readonly wallMs: () => number;
  readonly steering: Steering;
  readonly control: Pick<Control, 'status'>;
  readonly desk: Desk;
  readonly version: string;
  /** This machine, where the settings do not name it. */
  readonly identity: () => Promise<string>;
  readonly board: () => Promise<string | undefined>;
}

const { min, max } = rowOf('video.bitrateKbps')?.form as { readonly min: number; readonly max: number };
const bitrateRange = { min, max };
/** How often it is looked whether the state has changed. */
const lookMs = 1000;
/** One that finds its place taken steps back for so long. */
const duplicateMs = 300_000;
/** Taken over so often within a minute: two devices push each other out. */
const mostTakeovers = 2;

/** Settings of the connection itself: a change of one of them makes another. */
const own = ['url', 'username', 'password', 'ca', 'cert', 'key', 'baseTopic', 'id'] as const;

export class Mqtt implements Interface {
  readonly #boot = randomUUID();
  #id = '';
  #settings: MqttSettings | undefined;
  #connection: Connection | undefined;
  #looking: NodeJS.Timeout | undefined;
  #telemetry: NodeJS.Timeout | undefined;
  #state = '';
  /** Topic of the announcement that stands. */
  #announced = '';
  #reported = '';
  /** Our state was published over this connection; over one before it. */
  #saidState = false;
  #saidEarlier = false;
  #takeovers: number[] = [];
  #fault: FaultReport | undefined;
  #ending = false;
  readonly #events: Events<Payload<'event'>>;

  constructor(private readonly around: MqttSurroundings) {
    this.#events = new Events((event) => this.#say('event', event));
    around.log.onLine((line) => this.#event(line));
    around.steering.provedBy(
      own.map((name) => `mqtt.${name}`),
      () => this.#connection?.isConnected ?? false,
    );
    around.steering.onChange(() => this.#changed());
  }

  async start(signal: AbortSignal): Promise<void> {
    this.#looking = setInterval(() => this.#look(), lookMs);
    signal.addEventListener('abort', () => {
      // It is stopping, or updating: that can still be said.
      this.#look();
      this.#ending = true;
    });
    this.#id = await this.around.identity();
    this.#changed();
  }

  async stop(): Promise<void> {
    this.#ending = true;
    clearInterval(this.#looking);
    clearTimeout(this.#telemetry);
    this.#sayState('stopped');
    await this.#connection?.stop();
  }

  tells(): Partial<Status> {
    if (!this.#connection) return {};
    const state = this.#connection.isConnected ? 'connected' : 'waiting';
    const mqtt: MqttStatus = { state, ...(this.#fault ? { fault: this.#fault } : {}) };
    return { mqtt };
  }

  /** A decision, or other settings: those of the connection itself make a new one. */
  #changed(): void {
    if (this.#id === '' || this.#ending) return;
    const { mqtt } = this.around.steering.resolved.settings;
    const before = this.#settings;
    this.#settings = mqtt;
    const same = (...names: (keyof MqttSettings)[]): boolean => names.every((name) => before?.[name] === mqtt[name]);
    if (!before || !same(...own)) {
      this.#connect(mqtt);
    } else {
      const [was, is] = [groupTopics(before), groupTopics(mqtt)];
      this.#connection?.unsubscribe(was.filter((topic) => !is.includes(topic)));
      this.#connection?.subscribe(is.filter((topic) => !was.includes(topic)));
      if (was.join() !== is.join() || !same('discovery', 'discoveryPrefix')) this.#inform();
    }
    this.#sayReported();
  }

  #connect(settings: MqttSettings): void {
    const before = this.#connection;
    this.#connection = undefined;
    this.#fault = undefined;
    if (before?.isConnected) this.#sayState('stopped', before);
    void before?.stop();
    if (settings.url === '') return;
    const will: Payload<'state'> = { state: 'lost', boot: this.#boot };
    const connection: Connection = new Connection(
      settings,
      `makercast-${this.#own}`,
      { topic: this.#topic('state'), payload: JSON.stringify(will) },
      {
        topics: () => [
          this.#topic('config/desired'),
          this.#topic('cmd/+'),
          this.#topic('state'),
          ...groupTopics(this.around.steering.resolved.settings.mqtt),
        ],
        connected: (protocol) => this.#connected(protocol),
        message: (message) => this.#heard(message),
        lost: (fault) => this.#lost(fault),
        takenOver: () => this.#takenOver(),
      },
      this.around.clock,
      () => this.around.desk.clockIsSet,
    );
    this.#connection = connection;
    this.#saidState = false;
    connection.start();
  }

  get #own(): string {
    const { id } = this.around.steering.resolved.settings.mqtt;
    return id === '' ? this.#id : id;
  }

  /** A topic of this device. */
  #topic(name: string): string {
    return `${this.around.steering.resolved.settings.mqtt.baseTopic}/v1/${this.#own}/${name}`;
  }

  #connected(protocol: Protocol): void {
    if (this.#fault) this.around.log.info('mqtt_connected', 'Connected to the MQTT broker.');
    this.#fault = undefined;
    this.#protocol = protocol;
    this.#saidEarlier = this.#saidState;
    this.#state = '';
    this.#reported = '';
    this.#inform();
    this.#look();
    this.#sayReported();
    this.#events.flush();
    this.#measure();
  }

  #protocol: Protocol = '5';

  #inform(): void {
    void this.around.board().then((board) => {
      this.#say('info', {
        id: this.#own,
        boot: this.#boot,
        release: this.around.version,
        node: process.version,
        architecture: process.arch,
        ...(board === undefined ? {} : { board }),
        protocol: this.#protocol,
        groups: this.around.steering.resolved.settings.mqtt.groups,
        commands: commandNames,
      });
      this.#announce(board);
    });
  }

  /** Under the user's own name, as the example's rules have it; taken away again where it is switched off. */
  #announce(board: string | undefined): void {
    const { discovery, discoveryPrefix, telemetrySeconds } = this.around.steering.resolved.settings.mqtt;
    const topic = `${discoveryPrefix}/device/${this.#own}/config`;
    if (!discovery) {
      if (this.#announced === topic) this.#connection?.publish(topic, '', { qos: 1, retain: true });
      this.#announced = '';
      return;
    }
    const [id, prefix, release] = [this.#own, this.#topic(''), this.around.version];
    const payload = announcement({ id, prefix, release, board, bitrate: bitrateRange, telemetrySeconds });
    if (this.#publish(topic, { qos: 1, retain: true }, payload)) this.#announced = topic;
  }

  #lost(fault: Fault): void {
    const news = this.#fault?.code !== fault.code || this.#fault.what !== fault.what;
    this.#fault = fault.report();
    if (news) this.around.log.warn(fault.code, `[${fault.code}] ${fault.message}`, { code: fault.code });
  }

  #takenOver(): void {
    const now = this.around.clock.now();
    this.#takeovers = [...this.#takeovers.filter((at) => now - at < 60_000), now];
    if (this.#takeovers.length >= mostTakeovers) this.#duplicate();
  }

  #duplicate(): void {
    this.#takeovers = [];
    const what = `Another device at the MQTT broker goes by the id ${this.#own}.`;
    const fault = new Fault(
      'duplicate_id',
      what,
      'Give one of them another mqtt.id; this one steps back for some minutes.',
    );
    this.#lost(fault);
    this.#saidState = false;
    this.#saidEarlier = false;
    this.#connection?.pause(duplicateMs);
  }

  #heard({ topic, payload, retained }: Message): void {
    if (topic === this.#topic('state')) return this.#heardState(payload, retained);
    const prefix = this.#topic('cmd/');
    if (topic.startsWith(prefix)) return void this.#heardCommand(topic.slice(prefix.length), payload, retained);
    const layer = this.#layerOf(topic);
    // An empty payload takes a retained document away, and says nothing.
    if (layer === undefined || payload.length === 0) return;
    const parsed = parse(payload);
    if ('value' in parsed) void this.around.steering.propose(layer, parsed.value);
    else this.around.steering.refuse(layer, parsed);
  }

  #layerOf(topic: string): LayerName | undefined {
    if (topic === this.#topic('config/desired')) return 'device';
    const { mqtt } = this.around.steering.resolved.settings;
    const group = mqtt.groups.find((name) => groupTopic(mqtt.baseTopic, name) === topic);
    return group === undefined ? undefined : `group ${group}`;
  }

  /**
   * Another boot id on our own topic is another device. What was retained there at the first connection is of an earlier life, and a
   * `lost` that comes late is the last word of one.
   */
  #heardState(payload: Buffer, retained: boolean): void {
    if (payload.length === 0 || (retained && !this.#saidEarlier)) return;
    const parsed = parse(payload);
    const said = 'value' in parsed ? (parsed.value as { boot?: unknown; state?: unknown } | null) : null;
    if (typeof said?.boot !== 'string' || said.boot === this.#boot) return;
    if (retained || said.state !== 'lost') this.#duplicate();
  }

  async #heardCommand(name: string, payload: Buffer, retained: boolean): Promise<void> {
    if (payload.length === 0) return;
    const parsed = parse(payload);
    const answer =
      'value' in parsed
        ? await this.#obey(name, parsed.value, retained)
        : refused('', new Fault('command_malformed', parsed.message));
    // What a stranger has put there comes back as an answer on a topic of ours: only names that can be.
    const safe = /^[a-z-]{1,32}$/.test(name) ? name : 'unknown';
    this.#publish(this.#topic(`cmd/${safe}/ack`), topics.ack, answer);
    this.#look();
  }

  #obey(name: string, given: unknown, retained: boolean): Promise<Answer> | Answer {
    if (retained) {
      const what = 'The command was retained by the broker, and would run at every connection.';
      return refused(idOf(given), new Fault('command_retained', what, 'Publish it without the retain flag.'));
    }
    const { allowPlainSecrets } = this.around.steering.resolved.settings.mqtt;
    if (name === 'set-secret' && !this.#connection?.isPrivate && !allowPlainSecrets) {
      const what = 'Secrets are not taken over a connection without TLS.';
      return refused(
        idOf(given),
        new Fault('command_failed', what, 'Use mqtts:// or wss://, or set mqtt.allowPlainSecrets.'),
      );
    }
    return this.around.desk.ask(name, given);
  }

  #look(): void {
    // Most devices have no broker: they need no status document every second.
    if (this.#ending || !this.#connection) return;
    this.#sayState();
    this.#events.flush();
  }

  /** `state`: what it is about to be, where the status does not say so yet. */
  #sayState(state?: 'stopped', connection = this.#connection): void {
    if (!connection) return;
    const { actual, wanted, balena } = this.around.control.status();
    const update = updates.find((word) => word === balena?.update);
    const payload: Payload<'state'> = {
      state: state ?? actual,
      wanted,
      ...(update && { update }),
      ...(update && balena?.letInAt !== undefined && { updateAt: balena.letInAt }),
      boot: this.#boot,
    };
    const text = JSON.stringify(payload);
    if (text === this.#state) return;
    if (!this.#publish(this.#topic('state'), topics.state, payload, connection)) return;
    this.#state = text;
    this.#saidState = true;
  }

  #sayReported(): void {
    const payload = reported(this.around.steering.report());
    const text = JSON.stringify(payload);
    if (text !== this.#reported && this.#say('reported', payload)) this.#reported = text;
  }

  #measure(): void {
    clearTimeout(this.#telemetry);
    const { telemetrySeconds } = this.around.steering.resolved.settings.mqtt;
    this.#telemetry = setTimeout(() => this.#measure(), telemetrySeconds * 1000);
    this.#telemetry.unref();
    if (!this.#connection?.isConnected) return;
    void temperature().then((degrees) => this.#say('telemetry', this.#figures(degrees)));
  }

  #figures(degrees: number | undefined): Payload<'telemetry'> {
    const { actual, uptimeSeconds, hub, video, outputs } = this.around.control.status();
    return {
      at: this.#now(),
      boot: this.#boot,
      uptimeSeconds,
      state: actual,
      ...(degrees === undefined ? {} : { temperature: degrees }),
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

  #event({ level, event, message }: Line): void {
    if (event === 'status' || this.around.steering.resolved.settings.mqtt.url === '') return;
    this.#events.add({ at: this.#now(), boot: this.#boot, level, event, message });
  }

  #now(): string {
    return new Date(this.around.wallMs()).toISOString();
  }

  #say<K extends 'info' | 'reported' | 'telemetry' | 'event'>(name: K, payload: Payload<K>): boolean {
    return this.#publish(this.#topic(topics[name].topic), topics[name], payload);
  }

  /** Everything that leaves passes here, and no text in it keeps a secret. */
  #publish(
    topic: string,
    { qos, retain }: { readonly qos: 0 | 1; readonly retain: boolean },
    payload: object,
    connection = this.#connection,
  ): boolean {
    const { redactor } = this.around.log;
    const text = JSON.stringify(payload, (name, value: unknown) =>
      typeof value === 'string' && !arbitrary.has(name) ? redactor.redact(value) : value,
    );
    return connection?.publish(topic, text, { qos, retain }) ?? false;
  }
}

/** In what is made of chance a short secret would be found that is none. */
const arbitrary = new Set(['jpeg', 'boot', 'hash']);

const groupTopic = (baseTopic: string, group: string): string => `${baseTopic}/v1/_group/${group}/config/desired`;

const groupTopics = ({ baseTopic, groups }: MqttSettings): string[] =>
  groups.map((group) => groupTopic(baseTopic, group));
