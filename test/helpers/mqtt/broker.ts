/** A real MQTT broker as a process of the test, and a client of it that hears everything. */
import { spawn, type ChildProcess } from 'node:child_process';
import type { Socket } from 'node:net';
import { connectAsync, type IClientOptions, type IPublishPacket, type MqttClient } from 'mqtt';
import { ended, mortal } from '../command.js';
import { Feed, until, within } from '../feed.js';

const deadlineMs = 10_000;

export interface Received {
  readonly topic: string;
  readonly text: string;
  /** As JSON; undefined where it is none. */
  readonly value: Record<string, unknown>;
  readonly packet: IPublishPacket;
}

/** An operator: hears all that is written below `filter`. */
export class Operator implements AsyncDisposable {
  readonly heard = new Feed<Received>('messages at the broker');

  constructor(
    readonly client: MqttClient,
    /** Without the last `/`. */
    readonly prefix: string,
  ) {
    client.on('message', (topic, payload, packet) => {
      const text = payload.toString();
      let value: unknown;
      try {
        value = JSON.parse(text);
      } catch {
        // Shown as it is.
      }
      this.heard.push({ topic, text, value: value as Record<string, unknown>, packet });
    });
  }

  /** The first message on `name` below the device's own topics, from number `from` on, that fulfils `test`. */
  async on(
    name: string,
    test: (value: Record<string, unknown>) => boolean = () => true,
    from = 0,
  ): Promise<Record<string, unknown>> {
    const found = await this.heard.waitFor(
      ({ topic, value }) => topic === `${this.prefix}/${name}` && value !== undefined && test(value),
      30_000,
      from,
    );
    return found.value;
  }

  async send(
    name: string,
    payload: object | string,
    options: { retain?: boolean; topic?: string } = {},
  ): Promise<void> {
    const text = typeof payload === 'string' ? payload : JSON.stringify(payload);
    const topic = options.topic ?? `${this.prefix}/${name}`;
    await this.client.publishAsync(topic, text, { qos: 1, retain: options.retain ?? false });
  }

  /** Publishes `desired` as an operator does, retained; resolves to what is reported once that is decided. */
  async desire(version: number, config: object, more: object = {}): Promise<Record<string, unknown>> {
    const from = this.heard.items.length;
    await this.send('config/desired', { version, config, ...more }, { retain: true });
    return this.on('config/reported', (value) => value['version'] === version && value['status'] !== 'pending', from);
  }

  /** Sends a command; resolves to its answer. */
  async command(name: string, args: object = {}, more: object = {}): Promise<Record<string, unknown>> {
    const from = this.heard.items.length;
    const id = `c${from}-${Math.random()}`;
    await this.send(`cmd/${name}`, { id, args, ...more });
    return this.on(`cmd/${name}/ack`, (value) => value['id'] === id, from);
  }

  /** Resolves once it hears again; to be called before the broker goes. */
  async again(): Promise<void> {
    await new Promise<void>((resolve) => this.client.once('connect', () => resolve()));
    // A broker does one thing after the other: once it has this, it has what was subscribed before.
    await this.client.subscribeAsync('none', { qos: 1 });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.client.endAsync(true);
  }
}

/** How a broker is run. */
export interface Program {
  readonly command: string;
  readonly args: readonly string[];
  readonly env: NodeJS.ProcessEnv;
  /** What it prints once it takes connections. */
  readonly isUp: RegExp;
  readonly upMs?: number;
}

export interface Place {
  readonly port: number;
  /** Scheme and host of its URL. */
  readonly host?: string;
  /** Where operators come in, if not there. */
  readonly operatorsPort?: number;
}

export class Broker implements AsyncDisposable {
  readonly port: number;
  /** Where devices come in. */
  readonly url: string;
  readonly operatorsUrl: string;
  log = '';
  #child: ChildProcess | undefined;

  constructor(
    private readonly program: Program,
    { port, host = 'mqtt://127.0.0.1', operatorsPort = port }: Place,
    private readonly remove: () => Promise<void>,
  ) {
    this.port = port;
    this.url = `${host}:${port}`;
    this.operatorsUrl = `${host}:${operatorsPort}`;
  }

  async start(): Promise<void> {
    const { command, args, env, isUp, upMs = deadlineMs } = this.program;
    const child = spawn(...mortal(command, args), { stdio: ['ignore', 'pipe', 'pipe'], env });
    this.#child = child;
    let said = '';
    for (const stream of [child.stdout, child.stderr])
      stream.setEncoding('utf8').on('data', (text: string) => {
        said += text;
        this.log += text;
      });
    await until(
      () => {
        if (child.exitCode !== null) throw new Error(`${command} did not start: ${said}`);
        return isUp.test(said);
      },
      upMs,
      command,
    );
  }

  /** A client that hears all below the base topic, or only `names` of the device `id`. */
  async operator(
    id: string,
    options: IClientOptions = {},
    url = this.operatorsUrl,
    names?: readonly string[],
  ): Promise<Operator> {
    const client = await connectAsync(url, { reconnectPeriod: 200, ...options });
    (client.stream as unknown as Partial<Socket>).setNoDelay?.(true);
    const operator = new Operator(client, `makercast/v1/${id}`);
    const topics = names?.map((name) => `${operator.prefix}/${name}`) ?? ['makercast/v1/#'];
    if (topics.length > 0) await client.subscribeAsync(topics, { qos: 1 });
    return operator;
  }

  async kill(signal: NodeJS.Signals = 'SIGKILL'): Promise<void> {
    const child = this.#child;
    if (!child || child.exitCode !== null || child.signalCode !== null) return;
    const gone = ended(child);
    child.kill(signal);
    if (signal !== 'SIGSTOP' && signal !== 'SIGCONT')
      await within(gone, deadlineMs, `${this.program.command} after ${signal}`);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.kill();
    await this.remove();
  }
}
