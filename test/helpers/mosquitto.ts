/** A real Mosquitto on free loopback ports, and a client of it that hears everything. */
import { spawn, type ChildProcess } from 'node:child_process';
import { readFile, writeFile } from 'node:fs/promises';
import type { Socket } from 'node:net';
import path from 'node:path';
import { connectAsync, type IClientOptions, type IPublishPacket, type MqttClient } from 'mqtt';
import { ended, freePorts, mortal, temporaryFolder } from './command.js';
import { Feed, until, within } from './feed.js';
import { root } from './root.js';
import type { Authority } from './tls.js';

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

export class Mosquitto implements AsyncDisposable {
  #child: ChildProcess | undefined;
  log = '';

  constructor(
    readonly folder: string,
    readonly port: number,
    private readonly remove: () => Promise<void>,
    private readonly host = 'mqtt://127.0.0.1',
    private readonly operatorsPort = port,
  ) {}

  get url(): string {
    return `${this.host}:${this.port}`;
  }

  /** Where operators come in. */
  get operatorsUrl(): string {
    return `${this.host}:${this.operatorsPort}`;
  }

  async start(): Promise<void> {
    const child = spawn(...mortal('mosquitto', ['-v', '-c', path.join(this.folder, 'mosquitto.conf')]), {
      stdio: ['ignore', 'pipe', 'pipe'],
      env: { PATH: `${process.env['PATH'] ?? ''}:/usr/sbin:/sbin` },
    });
    this.#child = child;
    let said = '';
    for (const stream of [child.stdout, child.stderr])
      stream.setEncoding('utf8').on('data', (text: string) => {
        said += text;
        this.log += text;
      });
    await until(
      () => {
        if (child.exitCode !== null) throw new Error(`mosquitto did not start: ${said}`);
        return / running$/m.test(said);
      },
      deadlineMs,
      'mosquitto',
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
    if (signal !== 'SIGSTOP' && signal !== 'SIGCONT') await within(gone, deadlineMs, `mosquitto after ${signal}`);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.kill();
    await this.remove();
  }
}

/** Starts Mosquitto with the example of docs/, moved to a folder and ports of its own, and nothing else changed. `authority`: of its own certificate and those of devices; `operators`: of theirs. */
export async function startExampleMosquitto(authority: Authority, operators: Authority): Promise<Mosquitto> {
  const { folder, remove } = await temporaryFolder();
  const [port, operatorsPort] = (await freePorts(2)) as [number, number];
  const example = (name: string): Promise<string> => readFile(path.join(root, 'docs/mosquitto', name), 'utf8');
  const server = await authority.sign('localhost');
  const conf = (await example('mosquitto.conf'))
    .replace('listener 8883', `user root\nlistener ${port} 127.0.0.1`)
    .replace('listener 8884', `listener ${operatorsPort} 127.0.0.1`)
    .replace('/etc/mosquitto/certs/ca.pem', authority.ca)
    .replace('/etc/mosquitto/certs/operators.pem', operators.ca)
    .replaceAll('/etc/mosquitto/certs/server.pem', server.cert)
    .replaceAll('/etc/mosquitto/certs/server.key', server.key)
    .replace('/etc/mosquitto/acl', path.join(folder, 'acl'))
    .replace('/var/lib/mosquitto/', `${folder}/`);
  await writeFile(path.join(folder, 'mosquitto.conf'), conf);
  await writeFile(path.join(folder, 'acl'), await example('acl'), { mode: 0o600 });
  const broker = new Mosquitto(folder, port, remove, 'mqtts://localhost', operatorsPort);
  await broker.start();
  return broker;
}

/** Starts Mosquitto with `lines` after `listener` on a free port; anonymous clients may do everything unless `lines` says otherwise. */
export async function startMosquitto(lines: readonly string[] = ['allow_anonymous true']): Promise<Mosquitto> {
  const { folder, remove } = await temporaryFolder();
  const [port] = (await freePorts(1)) as [number];
  // Started by root it becomes the user mosquitto, unless told otherwise, and could then not read what is in here.
  await writeFile(
    path.join(folder, 'mosquitto.conf'),
    [`user root`, 'set_tcp_nodelay true', `listener ${port} 127.0.0.1`, ...lines, ''].join('\n'),
  );
  const broker = new Mosquitto(folder, port, remove);
  await broker.start();
  return broker;
}
