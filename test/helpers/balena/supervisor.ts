/**
 * A Supervisor of balena as its documentation and its source (v19) have it: paths, status codes, and the locks, which it takes by a
 * second process. A call that it does not know, or a key in a URL, fails the test at the end.
 */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { rm } from 'node:fs/promises';
import path from 'node:path';
import { run, temporaryFolder } from '../command.js';
import { Feed } from '../feed.js';

export interface Call {
  readonly method: string;
  readonly path: string;
  readonly body: unknown;
}

/** LOCKFILE_UID of its source. */
export const supervisorUid = 65534;
const isRoot = process.getuid?.() === 0;

export interface SupervisorOptions {
  /** 17.6 knows no `updateStatus`, 17.7 no tags. */
  readonly version?: string;
  readonly appId?: number;
}

type UpdateStatus = 'done' | 'downloading' | 'downloaded' | 'applying changes' | 'aborted' | 'rejected';

export class SupervisorServer implements AsyncDisposable {
  readonly calls = new Feed<Call>('calls of the Supervisor');
  /** Updates that got the locks. */
  readonly applied = new Feed<{ force: boolean }>('updates that were let in');
  readonly reboots = new Feed<{ force: boolean }>('reboots');
  readonly key = 'f00dfeedf00dfeedf00dfeedf00dfeed';
  readonly tags = new Map<string, string>();
  deviceName: string | null = 'kitchen';
  updateStatus: UpdateStatus = 'done';
  /** Changed variables: the release is the same. */
  variablesChanged = false;
  /** Answers 503 to whoever asks it for an update. */
  refuses = false;
  /** Takes connections and never answers. */
  hangs = false;
  /** What it says to every question, in place of an answer. */
  babble: string | undefined;
  /** Where it sends everybody to. */
  elsewhere: string | undefined;
  readonly #wrong: string[] = [];
  #failed = false;

  private constructor(
    private readonly server: Server,
    private readonly version: string,
    readonly appId: number,
    readonly lockFolder: string,
    private readonly remove: () => Promise<void>,
  ) {}

  static async start(options: SupervisorOptions = {}): Promise<SupervisorServer> {
    const server = createServer();
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const { folder, remove } = await temporaryFolder();
    const { version = '19.0.5', appId = 1_011_165 } = options;
    const supervisor = new SupervisorServer(server, version, appId, folder, remove);
    server.on('request', (request, response) => void supervisor.#answer(request, response));
    return supervisor;
  }

  get address(): string {
    return `http://127.0.0.1:${(this.server.address() as AddressInfo).port}`;
  }

  get lockPath(): string {
    return path.join(this.lockFolder, 'updates.lock');
  }

  /** What a service finds in its environment. */
  get environment(): Record<string, string> {
    return {
      BALENA: '1',
      BALENA_APP_ID: String(this.appId),
      BALENA_APP_NAME: 'cameras',
      BALENA_APP_LOCK_PATH: this.lockPath,
      BALENA_DEVICE_UUID: 'e3b0c44298fc1c149afbf4c8996fb924',
      BALENA_DEVICE_TYPE: 'raspberrypi3',
      BALENA_DEVICE_ARCH: 'armv7hf',
      BALENA_DEVICE_NAME_AT_INIT: 'purple-sun',
      BALENA_HOST_OS_VERSION: 'balenaOS 6.5.24',
      BALENA_SERVICE_NAME: 'makercast',
      BALENA_SUPERVISOR_ADDRESS: this.address,
      BALENA_SUPERVISOR_API_KEY: this.key,
    };
  }

  async call(method: string, where: string, from = 0): Promise<Call> {
    return this.calls.waitFor((call) => call.method === method && call.path === where, 15_000, from);
  }

  /** Takes the lock file as the Supervisor does, in a process of its own user; false where a service holds it. */
  async takeLock(force: boolean): Promise<boolean> {
    if (force) await rm(this.lockPath, { force: true });
    // src/lib/lockfile.ts does this to the folder first, so that its user may write there.
    await run('chmod', ['1777', this.lockFolder]);
    const user = isRoot ? ['setpriv', `--reuid=${supervisorUid}`, '--clear-groups', '--'] : [];
    const words = [...user, 'sh', '-c', 'set -C; : > "$0"', this.lockPath];
    return (await run(words[0]!, words.slice(1), { mayFail: true })).code === 0;
  }

  async dropLock(): Promise<void> {
    await rm(this.lockPath, { force: true });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.server.closeAllConnections();
    await new Promise((resolve) => this.server.close(resolve));
    await this.remove();
    if (this.#wrong.length > 0) throw new Error(`The Supervisor knows no such call: ${this.#wrong.join('; ')}`);
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    let text = '';
    for await (const chunk of request.setEncoding('utf8')) text += chunk as string;
    const url = new URL(request.url ?? '/', this.address);
    const [method, where] = [request.method ?? '', url.pathname];
    if (url.search !== '') this.#wrong.push(`${method} ${where} with a query`);
    let body: unknown;
    if (text !== '') {
      // Express reads no body of another type.
      if (request.headers['content-type'] !== 'application/json') this.#wrong.push(`${where}: body without its type`);
      body = JSON.parse(text);
    }
    this.calls.push({ method, path: where, body });
    if (this.hangs) return;
    const send = (status: number, answer?: unknown): void => {
      response.writeHead(status, { 'Content-Type': typeof answer === 'object' ? 'application/json' : 'text/plain' });
      response.end(typeof answer === 'object' ? JSON.stringify(answer) : (answer ?? ''));
    };
    if (this.elsewhere !== undefined) {
      response.writeHead(307, { Location: this.elsewhere + where });
      response.end();
      return;
    }
    if (this.babble !== undefined) return send(200, this.babble);
    if (where === '/ping' && method === 'GET') return send(200, 'OK');
    if (request.headers.authorization !== `Bearer ${this.key}`) return send(401, 'Unauthorized');
    await this.#route(`${method} ${where}`, (body ?? {}) as Record<string, unknown>, send);
  }

  async #route(
    call: string,
    body: Record<string, unknown>,
    send: (status: number, answer?: unknown) => void,
  ): Promise<void> {
    const force = body['force'] === true;
    const [major = 0, minor = 0] = this.version.split('.').map(Number);
    const since = (first: number, second: number): boolean => major > first || (major === first && minor >= second);
    const waits = this.updateStatus === 'downloaded' || this.variablesChanged;
    switch (call) {
      case 'GET /v1/device':
        return send(200, {
          api_port: 48484,
          ip_address: '192.168.0.114',
          commit: '414e65cd378a69a96f403b75f14b40b55856f860',
          status: 'Idle',
          download_progress: null,
          os_version: 'balenaOS 6.5.24',
          supervisor_version: this.version,
          update_pending: waits || this.updateStatus === 'downloading',
          update_downloaded: this.updateStatus === 'downloaded',
          update_failed: this.#failed,
        });
      case 'GET /v2/applications/state':
        return send(200, {
          cameras: {
            appId: this.appId,
            commit: '217d55237092995e4576367e529ebb03',
            ...(since(17, 7) && { appUuid: 'd149c5d1551b4286a930d57284a02511', updateStatus: this.updateStatus }),
            services: { makercast: { status: 'Running', releaseId: 557_617, downloadProgress: null } },
          },
        });
      case 'GET /v2/device/name':
        return send(200, { status: 'success', deviceName: this.deviceName });
      case 'PATCH /v2/device/tags': {
        if (!since(17, 8)) return send(404, `Cannot PATCH /v2/device/tags`);
        const entries = Object.entries(body);
        if (entries.some(([key, value]) => typeof value !== 'string' || /\s/.test(key)))
          return send(400, { status: 'failed', message: 'Invalid tags body' });
        for (const [key, value] of entries) this.tags.set(key, String(value));
        return send(202, { status: 'success' });
      }
      case 'POST /v1/update':
        if (this.refuses) return send(503, 'Supervisor is starting');
        send(204);
        return waits ? this.tryUpdate(force) : undefined;
      case 'POST /v1/reboot': {
        const got = await this.takeLock(force);
        if (!got) return send(423, { Data: '', Error: 'Updates are locked' });
        this.reboots.push({ force });
        return send(202, { Data: 'OK', Error: null });
      }
      default:
        // The facts list more; makercast asks none of it at present.
        this.#wrong.push(call);
        return send(404, `Cannot ${call}`);
    }
  }

  /** As it does by itself every now and then. With the lock in hand the services are told to end: the test does that when it hears of it. */
  async tryUpdate(force: boolean): Promise<void> {
    if (!(await this.takeLock(force))) {
      this.#failed = true;
      return;
    }
    this.#failed = false;
    this.updateStatus = 'applying changes';
    this.variablesChanged = false;
    this.applied.push({ force });
  }
}
