/** All of a device that steers, in this process, over a stand-in for the broadcast: what is on the air is what a test says. */
import { Redactor } from '../../../agent/config/redactor.js';
import { cost, type Change } from '../../../agent/config/cost.js';
import type { Layers, Resolved } from '../../../agent/config/resolve.js';
import type { Settings } from '../../../agent/config/settings.js';
import { systemClock } from '../../../agent/clock.js';
import { Fault } from '../../../agent/errors.js';
import { Mqtt } from '../../../agent/interfaces/mqtt/mqtt.js';
import { Log, type Line } from '../../../agent/log.js';
import { Storage } from '../../../agent/machine/storage/storage.js';
import { Dispatcher } from '../../../agent/control/commands.js';
import { runs } from '../../../agent/control/runs.js';
import type { RecentLine } from '../../../agent/control/recent.js';
import type { ActualState } from '../../../agent/broadcast/status.js';
import type { Status } from '../../../agent/control/status.js';
import { Steering } from '../../../agent/steering/steering.js';
import type { Broadcast } from '../../../agent/broadcast/broadcast.js';
import { Feed } from '../feed.js';

/** Does at once what it is told, and is as live as the test wants. */
export class Stand {
  actual: ActualState = 'live';
  /** What was commanded last. */
  wanted: Status['wanted'] = 'on air';
  /** What it comes to when these settings are applied. */
  react: (settings: Settings) => ActualState = () => this.actual;
  /** What other interfaces have to add to the status document. */
  more: Partial<Status> = {};
  readonly changes: Change[][] = [];
  readonly asked: string[] = [];
  /** What was logged last. */
  readonly lines: RecentLine[] = [];
  #settings: Settings | undefined;

  begin(settings: Settings): void {
    this.#settings = settings;
    this.actual = this.react(settings);
  }

  apply(settings: Settings): Promise<Change[]> {
    const { changed } = cost(this.#settings ?? settings, settings);
    this.#settings = settings;
    if (changed.length > 0) this.changes.push(changed);
    this.actual = this.react(settings);
    return Promise.resolve(changed);
  }

  applied(): Promise<void> {
    return Promise.resolve();
  }

  status(): Status {
    const state = this.actual === 'live' ? 'live' : 'waiting';
    const figures = { deliveredKbps: 500, queuedMs: 20, frames: 1, droppedFrames: 0, connects: 1 };
    const idle = this.actual === 'idle';
    return {
      version: '1',
      wanted: this.wanted,
      actual: this.actual,
      uptimeSeconds: 1,
      problems: [],
      outputs: idle ? {} : { main: { ...figures, state, url: 'rtmp://h/live' } },
      ...this.more,
    };
  }

  startBroadcast(): Promise<void> {
    this.asked.push('start');
    this.wanted = 'on air';
    this.actual = 'live';
    return Promise.resolve();
  }

  stopBroadcast(): Promise<void> {
    this.asked.push('stop');
    this.wanted = 'idle';
    this.actual = 'idle';
    return Promise.resolve();
  }

  restartMedia(): Promise<boolean> {
    this.asked.push('restart-media');
    return Promise.resolve(this.actual !== 'idle');
  }

  snapshot(): Promise<Buffer> {
    return Promise.resolve(Buffer.from([0xff, 0xd8]));
  }

  forceKeyframe(): boolean {
    this.asked.push('force-keyframe');
    return this.actual !== 'idle';
  }

  blink(): Promise<void> {
    this.asked.push('identify');
    return Promise.resolve();
  }

  update(force: boolean): Promise<void> {
    this.asked.push(`update ${force}`);
    return Promise.resolve();
  }

  reboot(force: boolean): Promise<void> {
    this.asked.push(`reboot ${force}`);
    return Promise.reject(new Fault('supervisor_unreachable', 'This machine has no balena Supervisor.'));
  }

  lock(): Promise<void> {
    this.asked.push('lock');
    return Promise.resolve();
  }

  unlock(): Promise<void> {
    this.asked.push('unlock');
    return Promise.resolve();
  }

  retry(output?: string): void {
    this.asked.push(`retry ${output ?? 'all'}`);
  }
}

export interface DeviceOptions {
  readonly env?: Readonly<Record<string, string>>;
  /** What makercast.yml would hold. */
  readonly file?: unknown;
  readonly release?: string;
  readonly react?: (settings: Settings) => ActualState;
  readonly wallMs?: () => number;
  readonly builtAt?: number;
  readonly storage?: Storage;
  /** How long its own state may take to come back from the broker. */
  readonly echoMs?: number;
}

export class Device implements AsyncDisposable {
  readonly lines = new Feed<Line>('log of the device');
  readonly faults: Fault[] = [];
  readonly redactor = new Redactor();
  readonly stand = new Stand();
  readonly steering: Steering;
  readonly dispatcher: Dispatcher;
  mqtt!: Mqtt;
  log!: Log;
  own: Resolved['problems'] = [];
  readonly #storage: Storage;
  readonly #ending = new AbortController();

  constructor(
    /** Its data folder. */
    readonly folder: string,
    private readonly options: DeviceOptions = {},
  ) {
    const storage = options.storage ?? new Storage(folder, (fault) => this.faults.push(fault));
    this.#storage = storage;
    const read = (): Promise<Layers> =>
      Promise.resolve({
        ...(options.file === undefined ? {} : { file: { name: '/etc/makercast.yml', values: options.file } }),
        env: options.env ?? {},
      });
    const { wallMs = Date.now, builtAt = 0 } = options;
    const now = (): number | undefined => (wallMs() >= builtAt ? wallMs() : undefined);
    this.steering = new Steering(read, storage, this.redactor, options.release ?? '1.0.0', now);
    const broadcast = this.stand as unknown as Broadcast;
    const time = { wallMs, builtAt };
    this.dispatcher = new Dispatcher(
      runs({
        broadcast,
        steering: this.steering,
        status: () => this.stand.status(),
        version: '1.0.0',
        restart: () => this.stand.asked.push('restart'),
        led: this.stand,
        caretaker: this.stand,
        recent: this.stand,
      }),
      storage,
      time,
    );
    if (options.react) this.stand.react = options.react;
  }

  async start(): Promise<this> {
    const { own, inForce } = await this.steering.open();
    this.own = own;
    this.log = new Log({ level: 'warn', format: 'json' }, this.redactor, systemClock);
    this.log.onLine((line) => this.lines.push(line));
    this.stand.begin(inForce);
    this.steering.attach({ log: this.log, broadcast: this.stand });
    await this.dispatcher.open();
    this.mqtt = new Mqtt(
      {
        ...{
          log: this.log,
          clock: systemClock,
          steering: this.steering,
          dispatcher: this.dispatcher,
          version: '1.0.0',
        },
        storage: this.#storage,
        wallMs: this.options.wallMs ?? Date.now,
        control: this.stand,
        identity: () => Promise.resolve('device-of-test'),
        board: () => Promise.resolve(undefined),
      },
      this.options.echoMs,
    );
    await this.mqtt.start(this.#ending.signal);
    return this;
  }

  /** Ends in order. */
  async stop(): Promise<void> {
    await this.steering.close();
    this.#ending.abort();
    await this.mqtt.stop();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
  }
}
