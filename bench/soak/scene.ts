/** What a soak runs in: makercast in a network of its own, two servers outside, and what arrives there. */
import { writeFile } from 'node:fs/promises';
import path from 'node:path';
import { startAgent, type Agent, type LogLine, type StatusDocument } from '../../test/helpers/agent/agent.js';
import { temporaryFolder } from '../../test/helpers/command.js';
import { until } from '../../test/helpers/feed.js';
import { isPicture, isVideoKey, wallClock, type ArrivedTag } from '../../test/helpers/content/flv.js';
import { lasts } from '../../test/helpers/interval.js';
import { sample } from '../../test/helpers/content/media.js';
import { makeNamespace, type Namespace } from '../../test/helpers/network/namespace.js';
import { startNginx, type Nginx } from '../../test/helpers/rtmp/nginx.js';
import { subscribe, type Subscription } from '../../test/helpers/rtmp/client.js';
import { startRtmpServer, type Connection, type RtmpServer } from '../../test/helpers/rtmp/server.js';

/** How often what has arrived is looked at, and let go of. */
const drainMs = 50;
/** A wait for the next picture that viewers would notice. */
const gapMs = 500;
/** Pictures must have come for so long on end, with a status that says `live`, before it counts as recovered. */
const steadyMs = 1000;
/** The longest wait between two tries of an output is 30 s; the rest is for the try itself. */
const recoverMs = 60_000;
const keptLines = 80;

/** Settings of a file, as far as a soak changes them. */
export interface Edit {
  readonly video?: Readonly<Record<string, unknown>>;
  readonly audio?: Readonly<Record<string, unknown>>;
  readonly outputs?: Readonly<Record<string, unknown>>;
}

/** When pictures came to one server. */
export class Arrivals {
  firstAt = 0;
  lastAt = 0;
  /** Since when no wait was longer than {@link gapMs}. */
  steadyAt = 0;

  note({ at }: ArrivedTag): void {
    this.firstAt ||= at;
    if (at - this.lastAt > gapMs) this.steadyAt = at;
    this.lastAt = at;
  }

  isSteady(now: number): boolean {
    return now - this.lastAt <= gapMs;
  }
}

export class Scene implements AsyncDisposable {
  readonly arrivals = { nginx: new Arrivals(), server: new Arrivals() };
  /** What a server saw that must not be. */
  readonly violations: string[] = [];
  /** Of the log, without status. */
  readonly lines: LogLine[] = [];
  lastStatus: StatusDocument | undefined;
  /** Since when every status document has said `live`. */
  #liveAt: number | undefined;
  #viewer: Subscription | undefined;
  #over = false;
  readonly #seen = new WeakMap<Connection, number>();
  readonly #timer: NodeJS.Timeout;

  constructor(
    readonly agent: Agent,
    readonly nginx: Nginx,
    readonly server: RtmpServer,
    /** Without one, no network can be broken. */
    readonly namespace: Namespace | undefined,
    readonly folder: string,
    readonly recordings: string,
    private settings: Edit,
    private readonly remove: () => Promise<void>,
  ) {
    this.#timer = setInterval(() => this.#drain(), drainMs);
    void this.#watch();
  }

  /** The next status document that fulfils `test`. */
  status(test: (status: StatusDocument) => boolean, deadlineMs = 30_000): Promise<StatusDocument> {
    return this.agent.status(test, deadlineMs, this.agent.log.items.length);
  }

  /** The next one in which an output is in one of these states. */
  output(name: string, ...states: string[]): Promise<StatusDocument> {
    return this.status(({ outputs }) => states.includes(outputs[name]?.state ?? ''), 40_000);
  }

  /** The session of the second output, at the scripted server. */
  session(): Connection {
    const found = this.server.publishes.items.findLast(({ name }) => name === keyOf('second'));
    if (!found) throw new Error('the second output has no session at the scripted server');
    return found;
  }

  /** A new session of it there, other than `before`. */
  async newSession({ acceptedAt }: Connection): Promise<Connection> {
    const isNew = (each: Connection): boolean => each.name === keyOf('second') && each.acceptedAt > acceptedAt;
    return this.server.publishes.waitFor(isNew, 60_000);
  }

  get source(): unknown {
    return this.settings.video?.['source'];
  }

  get audioKbps(): unknown {
    return this.settings.audio?.['bitrateKbps'];
  }

  /** The settings of the output that comes and goes. */
  get third(): { readonly enabled: boolean } {
    return this.settings.outputs?.['third'] as { enabled: boolean };
  }

  /** Changes the settings file, section by section. */
  async edit(change: Edit): Promise<void> {
    const { video, audio, outputs } = this.settings;
    this.settings = {
      ...this.settings,
      video: { ...video, ...change.video },
      audio: { ...audio, ...change.audio },
      outputs: { ...outputs, ...change.outputs },
    };
    await this.write(JSON.stringify(this.settings));
  }

  /** The settings file, whatever stands in it; without a text, the settings as they were. */
  async write(text = JSON.stringify(this.settings)): Promise<void> {
    await writeFile(path.join(this.folder, 'makercast.yml'), text);
  }

  /**
   * Waits until makercast says `live` and pictures arrive at both servers again; seconds from `since` (wall clock) until the first
   * of them. Fails where that takes more than {@link recoverMs}.
   */
  async recovered(since: number): Promise<number> {
    this.#liveAt = undefined;
    const { nginx, server } = this.arrivals;
    await until(
      () => {
        const now = wallClock();
        const { exitCode, signalCode } = this.agent.child;
        if (exitCode !== null || signalCode !== null)
          throw new Error(`makercast has ended with ${exitCode ?? signalCode}`);
        if (this.#liveAt === undefined || !nginx.isSteady(now) || !server.isSteady(now)) return false;
        return now - Math.max(this.#liveAt, nginx.steadyAt, server.steadyAt) >= steadyMs;
      },
      recoverMs,
      'live, with pictures at both servers',
    );
    return Math.max(0, nginx.steadyAt - since, server.steadyAt - since) / 1000;
  }

  /** Takes what came since the last time: a soak lasts for hours and keeps none of it. */
  #drain(): void {
    for (const line of this.agent.log.forget()) {
      if (line.event !== 'status') this.lines.push(line);
      else {
        this.lastStatus = line['status'] as StatusDocument;
        if (this.lastStatus.actual !== 'live') this.#liveAt = undefined;
        else this.#liveAt ??= wallClock();
      }
    }
    this.lines.splice(0, this.lines.length - keptLines);
    this.agent.output = '';
    this.nginx.calls.forget(50);
    for (const tag of this.#viewer?.tags.forget() ?? []) if (isPicture(tag)) this.arrivals.nginx.note(tag);
    for (const connection of this.server.connections.items) this.#drainSession(connection);
    // A session may last longer than a thousand that come after it.
    for (const { items } of [this.server.connections, this.server.publishes])
      items.splice(0, items.length, ...items.filter(({ history }) => !history.items.includes('closed')));
  }

  #drainSession(connection: Connection): void {
    for (const tag of connection.tags.forget()) {
      if (!isPicture(tag)) continue;
      const before = this.#seen.get(connection);
      if (before === undefined && !isVideoKey(tag)) this.violations.push('a session began without a keyframe');
      if (before !== undefined && tag.timestamp < before) this.violations.push('times of a session stepped back');
      this.#seen.set(connection, tag.timestamp);
      if (connection.name === keyOf('second')) this.arrivals.server.note(tag);
    }
  }

  /** A viewer at nginx, who comes back whenever the server has closed. */
  async #watch(): Promise<void> {
    while (!this.#over) {
      try {
        this.#viewer = await subscribe(`${this.nginx.url()}/${keyOf('main')}`);
        await this.#viewer.closed;
      } catch {
        await lasts(100, 'before the next try');
      }
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#over = true;
    clearInterval(this.#timer);
    await this.agent[Symbol.asyncDispose]();
    await this.nginx.kill('SIGCONT');
    await this.nginx.stop();
    await this.server.stop();
    await this.#viewer?.stop();
    await this.namespace?.stop();
    await this.remove();
  }
}

const keyOf = (output: string): string => `k-${output}`;

/** Starts it all, on the air and recording. `network`: in a namespace whose links can be broken. */
export async function startScene(network: boolean, minutes: number): Promise<Scene> {
  const { folder, remove } = await temporaryFolder();
  const recordings = path.join(folder, 'recordings');
  const namespace = network ? await makeNamespace(2) : undefined;
  const [nginxHost, serverHost] = namespace?.links.map(({ host }) => host) ?? ['127.0.0.1', '127.0.0.1'];
  const nginx = await startNginx({ host: nginxHost! });
  const server = await startRtmpServer({}, serverHost);
  const serverUrl = `rtmp://${serverHost}:${server.port}/live`;
  const settings = {
    // Detail and grain everywhere, so that the encoder needs all of its bitrate.
    video: {
      source: 'file',
      files: [await sample('h264-bframes.mp4')],
      encoder: 'x264enc',
      width: 640,
      height: 360,
      fps: 30,
      bitrateKbps: 2500,
    },
    audio: { source: 'auto' },
    outputs: {
      main: { url: nginx.url(), key: keyOf('main') },
      second: { url: serverUrl, key: keyOf('second') },
      third: { url: serverUrl, key: keyOf('third'), enabled: false },
    },
    // The oldest must not go before they are judged: 2.7 Mbit/s are 20 MB a minute.
    recording: {
      enabled: true,
      folder: recordings,
      splitMinutes: 1,
      quotaGb: Math.max(1, minutes * 0.1),
      minFreeGb: 0.01,
    },
  };
  await writeFile(path.join(folder, 'makercast.yml'), JSON.stringify(settings));
  const agent = await startAgent({}, { cwd: folder, ...(namespace ? { prefix: namespace.prefix } : {}) });
  return new Scene(agent, nginx, server, namespace, folder, recordings, settings, remove);
}
