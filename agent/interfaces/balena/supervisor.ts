/**
 * balena's Supervisor over its HTTP API. The paths, and what they answer, are those of its version 19 (docs/API.md there); it is
 * reached where the container has the label io.balena.features.supervisor-api.
 */
import { Fault } from '../../errors.js';

/** How an update of this application stands. */
export type Update = 'none' | 'downloading' | 'waiting' | 'applying';

export interface DeviceState {
  readonly osVersion?: string;
  readonly supervisorVersion?: string;
  /** Something is to be applied: a release, or changed variables. Also while it is only looked for. */
  readonly pending: boolean;
  readonly downloaded: boolean;
  /** It was tried and did not work, because of a lock or for any other reason. */
  readonly failed: boolean;
}

/** On a busy Zero W an answer takes seconds. */
const deadlineMs = 10_000;
/** The state of an application with a dozen services is some kB. */
const maxBytes = 1024 * 1024;

const updates: Readonly<Record<string, Update>> = {
  downloading: 'downloading',
  downloaded: 'waiting',
  'applying changes': 'applying',
};

/** What stands in the environment; undefined on a machine without a Supervisor. */
export function supervisorOf(env: NodeJS.ProcessEnv): Supervisor | undefined {
  const [address, key] = [env['BALENA_SUPERVISOR_ADDRESS'], env['BALENA_SUPERVISOR_API_KEY']];
  if (!address || !key || !URL.canParse(address)) return undefined;
  return new Supervisor(address, key, env['BALENA_APP_ID'] ?? '');
}

/** Every call throws `supervisor_unreachable` or `supervisor_refused`, and ends with `signal`. */
export class Supervisor {
  constructor(
    private readonly address: string,
    private readonly key: string,
    private readonly appId: string,
  ) {}

  /** `mayWait`: an update may wait for us, that is, we hold a lock. */
  async update(mayWait: boolean, signal: AbortSignal): Promise<Update> {
    const apps = Object.values(await this.#get('/v2/applications/state', signal)).map(record);
    const app = apps.find(({ appId }) => String(appId) === this.appId) ?? apps[0];
    const status = app?.['updateStatus'];
    if (typeof status === 'string' && status !== 'done') return updates[status] ?? 'none';
    if (typeof status === 'string' && !mayWait) return 'none';
    const { pending, downloaded, failed } = await this.device(signal);
    // Before version 17.7 no status tells of a pending release; since then none tells of pending variables.
    const waits = status === undefined ? downloaded : failed;
    return pending && waits ? 'waiting' : 'none';
  }

  async device(signal: AbortSignal): Promise<DeviceState> {
    const state = await this.#get('/v1/device', signal);
    const text = (field: string): string | undefined => {
      const value = state[field];
      return typeof value === 'string' && value !== '' ? value : undefined;
    };
    const [osVersion, supervisorVersion] = [text('os_version'), text('supervisor_version')];
    return {
      ...(osVersion !== undefined && { osVersion }),
      ...(supervisorVersion !== undefined && { supervisorVersion }),
      pending: state['update_pending'] === true,
      downloaded: state['update_downloaded'] === true,
      failed: state['update_failed'] === true,
    };
  }

  /** Name of this device in the dashboard; undefined where it has none. */
  async name(signal: AbortSignal): Promise<string | undefined> {
    const { deviceName } = await this.#get('/v2/device/name', signal);
    return typeof deviceName === 'string' && deviceName !== '' ? deviceName : undefined;
  }

  /**
   * Sets tags of this device, which the dashboard shows; kept by the Supervisor while it has no network. False where it is too old
   * for that (before 17.8).
   */
  async setTags(tags: Readonly<Record<string, string>>, signal: AbortSignal): Promise<boolean> {
    const answer = await this.#ask('PATCH', '/v2/device/tags', signal, tags);
    if (answer.status === 404 || answer.status === 405) return false;
    mustBeGood(answer, '/v2/device/tags');
    return true;
  }

  /** Looks for updates now. `force`: the locks of this application are overridden. */
  async startUpdate(force: boolean, signal: AbortSignal): Promise<void> {
    mustBeGood(await this.#ask('POST', '/v1/update', signal, { force }), '/v1/update');
  }

  /** Refused while any service of this device holds a lock, unless `force`. */
  async reboot(force: boolean, signal: AbortSignal): Promise<void> {
    mustBeGood(await this.#ask('POST', '/v1/reboot', signal, { force }), '/v1/reboot');
  }

  async #get(path: string, signal: AbortSignal): Promise<Record<string, unknown>> {
    const answer = await this.#ask('GET', path, signal);
    mustBeGood(answer, path);
    return record(answer.body);
  }

  async #ask(method: string, path: string, signal: AbortSignal, body?: object): Promise<Answer> {
    try {
      const response = await fetch(new URL(path, this.address), {
        method,
        headers: {
          Authorization: `Bearer ${this.key}`,
          ...(body && { 'Content-Type': 'application/json' }),
        },
        // Whoever answers with another address does not get the key.
        redirect: 'error',
        signal: AbortSignal.any([signal, AbortSignal.timeout(deadlineMs)]),
        ...(body && { body: JSON.stringify(body) }),
      });
      const text = await bounded(response);
      return { status: response.status, body: parsed(text) };
    } catch (error) {
      const late = error instanceof Error && error.name === 'TimeoutError';
      // What fetch says may quote the address; the cause has the one word that helps.
      const cause = (error as { cause?: { code?: unknown } }).cause?.code;
      const why = late ? `within ${deadlineMs / 1000} s` : typeof cause === 'string' ? `(${cause})` : '';
      throw new Fault(
        'supervisor_unreachable',
        `balena's Supervisor does not answer ${path} ${why}`.trim() + '.',
        'makercast asks again.',
      );
    }
  }
}

/** The text of an answer; one that is longer than any Supervisor's is refused. */
async function bounded({ body }: Response): Promise<string> {
  const chunks: Uint8Array[] = [];
  let length = 0;
  for await (const chunk of (body ?? []) as AsyncIterable<Uint8Array>) {
    length += chunk.length;
    if (length > maxBytes) throw Object.assign(new Error(), { cause: { code: `more than ${maxBytes} bytes` } });
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString('utf8');
}

interface Answer {
  readonly status: number;
  readonly body: unknown;
}

const record = (value: unknown): Record<string, unknown> =>
  typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : {};

function parsed(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return undefined;
  }
}

function mustBeGood({ status }: Answer, path: string): void {
  if (status >= 200 && status < 300) return;
  const what = `balena's Supervisor refuses ${path} (${status}).`;
  if (status === 401) {
    throw new Fault(
      'supervisor_refused',
      what,
      'Its API key is no longer valid: restart the service, and check the label io.balena.features.supervisor-api.',
    );
  }
  if (status === 423) {
    throw new Fault('supervisor_refused', what, 'A service of this device holds an update lock: wait, or force it.');
  }
  throw new Fault('supervisor_refused', what, 'Its log says more: balena device logs --system.');
}
