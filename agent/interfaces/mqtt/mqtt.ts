/** MQTT as an interface: the connection as the settings want it, what comes in (inbox.ts) and what goes out (outbox.ts) over it. */
import { randomUUID } from 'node:crypto';
import type { MqttSettings } from '../../config/settings.js';
import { Fault, type FaultReport } from '../../errors.js';
import type { MqttStatus, Status } from '../../control/status.js';
import type { Interface } from '../../control/interface.js';
import { birthTopic, followed, prefixOf } from './addresses.js';
import { Clones } from './clones.js';
import { Connection, type Protocol } from './connection.js';
import { Inbox } from './inbox.js';
import { Outbox } from './outbox.js';
import type { MqttDependencies } from './dependencies.js';
import { topics, type Payload } from './topics.js';

/** How often the state is compared with the one that was published. */
const pollMs = 1000;
/** A device whose id another one uses stays disconnected for this long. */
const duplicateMs = 300_000;
const greetMs = 5000;
/** A broker that delivers does so within this. */
const slowEchoMs = 15_000;

/** Settings of the connection itself: a change of one of them makes another. */
const own = ['url', 'username', 'password', 'ca', 'cert', 'key', 'baseTopic', 'id'] as const;

export class Mqtt implements Interface {
  readonly #boot = randomUUID();
  #id = '';
  #settings: MqttSettings | undefined;
  #connection: Connection | undefined;
  #polling: NodeJS.Timeout | undefined;
  #fault: FaultReport | undefined;
  /** Topics that the broker does not let us read. */
  #unread: readonly string[] = [];
  /** Topics that this broker lets us read. */
  readonly #granted = new Set<string>();
  #awaiting: NodeJS.Timeout | undefined;
  #greeting: NodeJS.Timeout | undefined;
  /** Our own state has come back over this connection. */
  #isHeard = false;
  /** It has not come, and should have. */
  #isDeaf = false;
  #ending = false;
  readonly #clones: Clones;
  readonly #inbox: Inbox;
  readonly #outbox: Outbox;

  /** `echoMs`: how long its own state may take to come back. */
  constructor(
    private readonly deps: MqttDependencies,
    private readonly echoMs = slowEchoMs,
  ) {
    this.#clones = new Clones(this.#boot, deps.clock, {
      found: () => this.#duplicate(),
      buried: () => !this.#ending && this.#outbox.sayStateAgain(),
    });
    this.#outbox = new Outbox(deps, this.#boot, () => this.#clones.stateSaid());
    this.#inbox = new Inbox(deps, {
      id: () => this.#own,
      isPrivate: () => this.#connection?.isPrivate ?? false,
      answer: (command, answer) => {
        this.#outbox.answer(command, answer);
        this.#poll();
      },
    });
    deps.log.onLine((line) => this.#outbox.event(line));
    deps.steering.provedBy(
      own.map((name) => `mqtt.${name}`),
      // A broker that is unreachable for a moment just then is still the right one.
      () => this.#isSteerable || (this.#fault ?? false),
    );
    deps.steering.onChange(() => this.#changed());
  }

  async start(signal: AbortSignal): Promise<void> {
    this.#polling = setInterval(() => this.#poll(), pollMs);
    signal.addEventListener('abort', () => {
      // It is stopping, or updating: that can still be published.
      this.#poll();
      this.#ending = true;
    });
    await this.#outbox.open();
    this.#id = await this.deps.identity();
    this.#changed();
  }

  async stop(): Promise<void> {
    this.#ending = true;
    clearInterval(this.#polling);
    clearTimeout(this.#awaiting);
    clearTimeout(this.#greeting);
    this.#outbox.stop();
    this.#outbox.sayState('stopped');
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
    const { mqtt } = this.deps.steering.resolved.settings;
    const before = this.#settings;
    this.#settings = mqtt;
    const same = (...names: (keyof MqttSettings)[]): boolean => names.every((name) => before?.[name] === mqtt[name]);
    if (!before || !same(...own)) {
      this.#connect(mqtt);
    } else {
      const [was, is] = [followed(before), followed(mqtt)];
      this.#connection?.unsubscribe(was.filter((topic) => !is.includes(topic)));
      this.#connection?.subscribe(is.filter((topic) => !was.includes(topic)).map((topic) => ({ topic })));
      this.#left(was.filter((topic) => !is.includes(topic)));
      if (was.join() !== is.join() || !same('discovery', 'discoveryPrefix', 'telemetrySeconds')) this.#outbox.inform();
      if (!same('telemetrySeconds')) this.#outbox.measure();
    }
    this.#outbox.sayReported();
  }

  #connect(settings: MqttSettings): void {
    const before = this.#connection;
    this.#connection = undefined;
    this.#fault = undefined;
    this.#isDeaf = false;
    this.#granted.clear();
    clearTimeout(this.#awaiting);
    if (before?.isConnected) this.#outbox.sayState('stopped');
    void before?.stop();
    this.#outbox.address(this.#own, prefixOf(settings, this.#own));
    if (settings.url === '') return;
    const own = (name: string): string => this.#outbox.topic(name);
    const steered = this.#steered;
    const will: Payload<'state'> = { state: 'lost', boot: this.#boot };
    const connection = new Connection(
      settings,
      `makercast-${this.#own}`,
      { topic: own(topics.state.topic), payload: JSON.stringify(will) },
      {
        subscriptions: () => [
          { topic: steered[0] },
          // One that is retained is refused: it would come again at every connection.
          { topic: steered[1], asPublished: true },
          { topic: own(topics.state.topic) },
          ...followed(this.deps.steering.resolved.settings.mqtt).map((topic) => ({ topic })),
        ],
        connected: (protocol) => this.#connected(protocol),
        message: (message) => {
          if (message.topic === birthTopic(this.deps.steering.resolved.settings.mqtt))
            return this.#birth(message.payload);
          if (message.topic !== own(topics.state.topic)) return this.#inbox.heard(message);
          this.#echoed();
          this.#clones.stateHeard(message.payload, message.retained);
        },
        subscribed: (topic, isGranted) => {
          if (isGranted) this.#granted.add(topic);
          else this.#denied(topic);
          if (isGranted && topic === own(topics.state.topic)) this.#awaitEcho(topic);
        },
        lost: (fault) => this.#lost(fault),
        takenOver: () => this.#clones.takenOver(),
      },
      this.deps.clock,
      () => this.deps.dispatcher.clockIsSet,
    );
    this.#connection = connection;
    this.#outbox.use(connection);
    this.#clones.elsewhere();
    connection.start();
  }

  /** The name of this device in topics. */
  get #own(): string {
    const { id } = this.deps.steering.resolved.settings.mqtt;
    return id === '' ? this.#id : id;
  }

  /** The topics by which it is steered. */
  get #steered(): readonly [string, string] {
    const own = (name: string): string => this.#outbox.topic(name);
    return [own(topics.desired.topic), own(topics.command.topic.replace('{command}', '+'))];
  }

  /** This broker has let us read what steers us, and what is published there arrives. */
  get #isSteerable(): boolean {
    return this.#connection !== undefined && !this.#isDeaf && this.#steered.every((topic) => this.#granted.has(topic));
  }

  #connected(protocol: Protocol): void {
    if (this.#fault) this.deps.log.info('mqtt_connected', 'Connected to the MQTT broker.');
    this.#fault = undefined;
    this.#unread = [];
    this.#granted.clear();
    this.#isHeard = false;
    this.#isDeaf = false;
    this.#clones.connected();
    this.#outbox.connected(protocol);
  }

  /** Home Assistant has started, and knows only what it is told from here on. A fleet does not answer all at once. */
  #birth(payload: Buffer): void {
    if (payload.toString() !== 'online') return;
    clearTimeout(this.#greeting);
    this.#greeting = setTimeout(() => this.#outbox.inform(), this.deps.clock.random() * greetMs);
    this.#greeting.unref();
  }

  /** Our own `state` is read back: a broker that renames topics, or delivers nothing, does not report it. */
  #awaitEcho(topic: string): void {
    clearTimeout(this.#awaiting);
    // The answer to the subscription may be told after what it lets through.
    if (this.#isHeard) return;
    this.#awaiting = setTimeout(() => {
      if (!this.#connection?.isConnected || this.#ending) return;
      this.#isDeaf = true;
      const what = `What this device publishes on ${topic} does not come back to it: the broker renames the topic, or does not deliver it.`;
      const remedy =
        'Use a mqtt.baseTopic without dots (RabbitMQ treats . as /), or allow the device to read its own state.';
      this.#lost(new Fault('mqtt_unheard', what, remedy));
    }, this.echoMs);
    this.#awaiting.unref();
  }

  #echoed(): void {
    this.#isHeard = true;
    this.#isDeaf = false;
    clearTimeout(this.#awaiting);
    if (this.#fault?.code === 'mqtt_unheard') this.#fault = undefined;
  }

  #lost(fault: Fault): void {
    const news = this.#fault?.code !== fault.code || this.#fault.what !== fault.what;
    this.#fault = fault.report();
    if (news) this.deps.log.warn(fault.code, `[${fault.code}] ${fault.message}`, { code: fault.code });
  }

  /** It goes on without them: nothing else would tell that they are missing. */
  #denied(topic: string): void {
    this.#unread = [...this.#unread, topic];
    const what = `The broker does not allow this device to read ${this.#unread.join(', ')}.`;
    this.#lost(
      new Fault(
        'mqtt_refused',
        what,
        "Allow it in the broker's access rules (docs/mqtt.md has examples), or leave the group.",
      ),
    );
  }

  /** What no longer needs to be read is no longer missing. */
  #left(topics: readonly string[]): void {
    const still = this.#unread.filter((topic) => !topics.includes(topic));
    if (this.#unread.length > 0 && still.length === 0) this.#fault = undefined;
    this.#unread = still;
  }

  #duplicate(): void {
    const what = `Another device at the MQTT broker uses the id ${this.#own}.`;
    const fault = new Fault(
      'duplicate_id',
      what,
      'Give one of them another mqtt.id; this one disconnects for some minutes.',
    );
    this.#lost(fault);
    // While the connection is still there.
    this.#outbox.flush();
    this.#connection?.pause(duplicateMs);
  }

  #poll(): void {
    // Most devices have no broker: they need no status document every second.
    if (this.#ending || !this.#connection) return;
    this.#outbox.sayState();
    this.#outbox.flush();
  }
}
