/** A real nginx with nginx-rtmp on free loopback ports, its callbacks as events, its statistics, its recordings and its log. */
import { spawn, type ChildProcess } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdir, readdir, readFile, stat as fileStat, writeFile } from 'node:fs/promises';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { connect } from 'node:net';
import path from 'node:path';
import { ended, freePorts, mortal, temporaryFolder } from '../command.js';
import { Feed, until, within } from '../feed.js';
import { parseStat, type StreamStat } from './nginx-stat.js';

export interface NginxOptions {
  /** Application names; `['live']` if not given. Every one records each stream to FLV when `record` is set. */
  readonly applications?: readonly string[];
  readonly record?: boolean;
  /** Address to listen on; 127.0.0.1 if not given. */
  readonly host?: string;
  /** Bytes; nginx-rtmp's own default is 4096. */
  readonly chunkSize?: number;
  /** false: no HTTP callbacks, so that nothing but nginx stands between publisher and subscriber. */
  readonly callbacks?: boolean;
  /** Further lines for each application, such as `wait_key on;`. */
  readonly directives?: string;
}

/** One HTTP callback of nginx-rtmp: which `call` (connect, publish, play, publish_done, play_done, record_done, ...) and what it says. */
export interface NginxCall {
  readonly call: string;
  readonly app: string;
  /** Stream name as the client gave it, without its query. */
  readonly name: string;
  /** The stream name's query, decoded; empty without one. */
  readonly args: Readonly<Record<string, string>>;
  readonly tcurl: string;
  readonly flashver: string;
  readonly clientid: string;
  /** Milliseconds of `Date.now()`. */
  readonly at: number;
  /** All fields as they came. */
  readonly fields: Readonly<Record<string, string>>;
}

const modulePaths = ['/usr/lib/nginx/modules', '/usr/share/nginx/modules', '/usr/lib64/nginx/modules'];
const ownFields = new Set([
  'app',
  'flashver',
  'swfurl',
  'tcurl',
  'pageurl',
  'addr',
  'clientid',
  'epoch',
  'call',
  'name',
  'type',
  'recorder',
  'path',
  'start',
  'duration',
  'reset',
  'time',
  'bytes_in',
  'bytes_out',
]);
const deadlineMs = 10_000;

function modulePath(): string {
  const found = modulePaths.map((folder) => path.join(folder, 'ngx_rtmp_module.so')).find((file) => existsSync(file));
  if (!found) throw new Error('nginx-rtmp is not installed: apt-get install nginx-light libnginx-mod-rtmp');
  return found;
}

export class Nginx implements AsyncDisposable {
  /** Every callback since the start, and those to come. */
  readonly calls = new Feed<NginxCall>('nginx callbacks');
  /** Answers a publish with 403 where it returns false; may be set at any time. */
  allowPublish: (call: NginxCall) => boolean = () => true;
  #child: ChildProcess | undefined;
  #callbacks: Server | undefined;
  #applications: readonly string[];

  constructor(
    readonly folder: string,
    readonly host: string,
    readonly rtmpPort: number,
    readonly httpPort: number,
    private readonly callbackPort: number,
    private readonly options: NginxOptions,
    private readonly remove: () => Promise<void>,
  ) {
    this.#applications = options.applications ?? ['live'];
  }

  /** `rtmp://host:port/application`, to which a stream name is appended with `/`. */
  url(application = 'live'): string {
    return `rtmp://${this.host}:${this.rtmpPort}/${application}`;
  }

  async start(): Promise<void> {
    await mkdir(path.join(this.folder, 'recordings'), { recursive: true });
    this.#callbacks = createServer((request, response) => void this.#callback(request, response));
    await new Promise<void>((resolve, reject) => {
      this.#callbacks!.once('error', reject).listen(this.callbackPort, '127.0.0.1', resolve);
    });
    await this.#launch();
  }

  async #launch(): Promise<void> {
    await writeFile(path.join(this.folder, 'nginx.conf'), this.#configuration());
    // One process only (no master): what is killed is all of it.
    const child = spawn(
      ...mortal('nginx', ['-p', this.folder, '-c', 'nginx.conf', '-e', path.join(this.folder, 'error.log')]),
      {
        stdio: ['ignore', 'ignore', 'pipe'],
        env: { PATH: `${process.env['PATH'] ?? ''}:/usr/sbin:/sbin` },
      },
    );
    this.#child = child;
    let stderr = '';
    child.stderr.setEncoding('utf8').on('data', (text: string) => (stderr += text));
    await until(
      () => {
        if (child.exitCode !== null || child.signalCode !== null) throw new Error(`nginx did not start: ${stderr}`);
        return answers(this.host, this.rtmpPort);
      },
      deadlineMs,
      'nginx',
    );
  }

  #configuration(): string {
    const hooks = (calls: readonly string[]): string =>
      this.options.callbacks === false
        ? ''
        : calls.map((call) => `on_${call} http://127.0.0.1:${this.callbackPort}/;`).join(' ');
    const applications = this.#applications.map(
      (name) => `
      application ${name} {
        live on;
        ${this.options.record ? `record all; record_path ${this.folder}/recordings; record_suffix .${name}.flv; record_unique on;` : ''}
        ${hooks(['publish', 'play', 'publish_done', 'play_done', ...(this.options.record ? ['record_done'] : [])])}
        ${this.options.directives ?? ''}
      }`,
    );
    const temp = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi']
      .map((name) => `${name}_temp_path ${this.folder}/temp;`)
      .join(' ');
    return `
    load_module ${modulePath()};
    daemon off; master_process off;
    pid ${this.folder}/nginx.pid;
    error_log ${this.folder}/error.log info;
    events { worker_connections 256; }
    rtmp {
      access_log ${this.folder}/rtmp.log;
      server {
        listen ${this.host}:${this.rtmpPort};
        chunk_size ${this.options.chunkSize ?? 4096};
        notify_method post;
        ${hooks(['connect', 'disconnect'])}
        ${applications.join('\n')}
      }
    }
    http {
      access_log off; ${temp}
      server {
        listen ${this.host}:${this.httpPort};
        location = /stat { rtmp_stat all; }
        location /recordings/ { alias ${this.folder}/recordings/; }
      }
    }`;
  }

  async #callback(request: IncomingMessage, response: ServerResponse): Promise<void> {
    let body = '';
    for await (const chunk of request.setEncoding('utf8')) body += String(chunk);
    const fields = Object.fromEntries(new URLSearchParams(body));
    const call: NginxCall = {
      call: fields['call'] ?? '',
      app: fields['app'] ?? '',
      name: fields['name'] ?? '',
      args: Object.fromEntries(Object.entries(fields).filter(([name]) => !ownFields.has(name))),
      tcurl: fields['tcurl'] ?? '',
      flashver: fields['flashver'] ?? '',
      clientid: fields['clientid'] ?? '',
      at: Date.now(),
      fields,
    };
    const allowed = call.call !== 'publish' || this.allowPublish(call);
    response.writeHead(allowed ? 200 : 403, { connection: 'close' }).end();
    this.calls.push(call);
  }

  /** Waits for a callback `call`, of stream `name` if that is given. */
  async waitForCall(
    call: string,
    options: { name?: string; deadlineMs?: number; from?: number } = {},
  ): Promise<NginxCall> {
    return this.calls.waitFor(
      (item) => item.call === call && (options.name === undefined || item.name === options.name),
      options.deadlineMs ?? 15_000,
      options.from,
    );
  }

  /** Who publishes and who plays now, as nginx-rtmp's own statistics tell. */
  async stat(): Promise<StreamStat[]> {
    const response = await fetch(`http://${this.host}:${this.httpPort}/stat`);
    return parseStat(await response.text());
  }

  /** The error log so far (level info): publishes, `deleteStream`, disconnects. */
  async log(): Promise<string> {
    return readFile(path.join(this.folder, 'error.log'), 'utf8');
  }

  /** Paths of the recordings of an application, oldest first; complete once `publish_done` (or `record_done`) was called. */
  async recordings(application = 'live'): Promise<string[]> {
    const folder = path.join(this.folder, 'recordings');
    const names = (await readdir(folder)).filter((name) => name.endsWith(`.${application}.flv`));
    const files = await Promise.all(
      names.map(async (name) => ({
        file: path.join(folder, name),
        at: (await fileStat(path.join(folder, name))).birthtimeMs,
      })),
    );
    return files.sort((a, b) => a.at - b.at).map(({ file }) => file);
  }

  /** Sends a signal to nginx; resolves once it is gone where the signal ends it. SIGSTOP and SIGCONT return at once. */
  async kill(signal: NodeJS.Signals = 'SIGKILL'): Promise<void> {
    const child = this.#child;
    if (!child || child.exitCode !== null || child.signalCode !== null) return;
    const gone = ended(child);
    child.kill(signal);
    if (signal === 'SIGSTOP' || signal === 'SIGCONT') return;
    await within(gone, deadlineMs, `nginx after ${signal}`);
  }

  /** Kills nginx (unless it is dead already) and starts it again on the same ports, with other applications if they are given. */
  async restart(applications = this.#applications): Promise<void> {
    await this.kill();
    this.#applications = applications;
    await this.#launch();
  }

  async stop(): Promise<void> {
    await this.kill();
    this.#callbacks?.closeAllConnections();
    await new Promise((resolve) => this.#callbacks?.close(resolve) ?? resolve(undefined));
    await this.remove();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
  }
}

async function answers(host: string, port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, host, () => {
      socket.destroy();
      resolve(true);
    }).once('error', () => resolve(false));
  });
}

/** Starts nginx; the caller stops it (`await using`, or `t.after(() => nginx.stop())`). */
export async function startNginx(options: NginxOptions = {}): Promise<Nginx> {
  const { folder, remove } = await temporaryFolder();
  const [rtmpPort, httpPort, callbackPort] = (await freePorts(3)) as [number, number, number];
  const nginx = new Nginx(folder, options.host ?? '127.0.0.1', rtmpPort, httpPort, callbackPort, options, remove);
  try {
    await nginx.start();
  } catch (error) {
    await nginx.stop();
    throw error;
  }
  return nginx;
}
