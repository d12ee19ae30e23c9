/** What the fleet tool asks balena's cloud for, each call with faults that say what to do. */
import { setTimeout } from 'node:timers/promises';
import { Fault } from '../agent/errors.js';
import type { CloudDevice, CloudFleet, LogLine, Release, Sdk } from './sdk.js';

/** The service of docker-compose.yml, whose variables are the settings. */
export const SERVICE = 'makercast';

const releaseFields = { $select: ['id', 'commit', 'raw_version'] };
const fleetFields = {
  $select: ['id', 'slug', 'should_track_latest_release'],
  $expand: { should_be_running__release: releaseFields },
};

/** Everything that `list` shows, so that a hundred devices take one question. */
const deviceFields = {
  $select: ['id', 'uuid', 'device_name', 'is_online'],
  $expand: {
    is_running__release: releaseFields,
    is_pinned_on__release: releaseFields,
    device_tag: { $select: ['tag_key', 'value'] },
  },
  $orderby: { device_name: 'asc' },
};

/** How often one thing is asked of a busy cloud, and the longest pause in between that is waited for. */
const TRIES = 5;
const LONGEST_PAUSE_S = 60;

/** A release by its commit, or the beginning of one; what else is written is a version. */
const COMMIT = /^[0-9a-f]{7,40}$/;

export class Cloud {
  #stop: AbortSignal | undefined;

  constructor(
    private readonly sdk: Sdk,
    private readonly apiUrl: string,
  ) {}

  /** From then on no pause of a busy cloud is waited for. */
  stopWaitingAt(stop: AbortSignal): void {
    this.#stop = stop;
  }

  /** @throws Fault `fleet_denied` where the key is not taken. */
  async enter(key: string): Promise<void> {
    await this.#call(() => this.sdk.auth.loginWithToken(key));
    if (await this.#call(() => this.sdk.auth.isLoggedIn())) return;
    throw new Fault(
      'fleet_denied',
      `${this.#host} does not accept this API key.`,
      'Create a new one in its dashboard.',
    );
  }

  /** The fleet of that slug; without one, the only fleet that the key opens. */
  async fleet(slug: string | undefined): Promise<CloudFleet> {
    if (slug !== undefined) return this.#call(() => this.sdk.models.application.get(slug, fleetFields));
    const all = await this.#call(() => this.sdk.models.application.getAllDirectlyAccessible(fleetFields));
    const [only, ...further] = all;
    if (only && further.length === 0) return only;
    const what = only ? `This key gives access to ${all.length} fleets` : 'This key gives access to no fleet';
    const names = only ? `: ${all.map((fleet) => fleet.slug).join(', ')}.` : '.';
    throw new Fault('fleet_unknown', `${what}${names}`, 'Name one: --fleet ORGANISATION/NAME.');
  }

  async devices(fleet: CloudFleet): Promise<CloudDevice[]> {
    const options = { ...deviceFields, $filter: { belongs_to__application: fleet.id } };
    return this.#call(() => this.sdk.pine.get({ resource: 'device', options })) as Promise<CloudDevice[]>;
  }

  /** The fleet's release of that commit (its first seven digits are enough) or version, built without a fault. */
  async release(fleet: CloudFleet, wanted: string): Promise<Release> {
    const filter = { ...releaseFields, $filter: { status: 'success', belongs_to__application: fleet.id } };
    return this.#call(() =>
      this.sdk.models.release.get(
        COMMIT.test(wanted) ? wanted : { application: fleet.id, rawVersion: wanted.replace(/^v/, '') },
        filter,
      ),
    );
  }

  async setOnDevice(device: CloudDevice, name: string, value: string): Promise<void> {
    await this.#call(() => this.sdk.models.device.serviceVar.set(device.id, SERVICE, name, value));
  }

  /** Id of our service in this fleet, whose variables every device gets. */
  async service(fleet: CloudFleet): Promise<number> {
    const options = { $select: ['id', 'service_name'], $filter: { service_name: SERVICE } };
    const [service] = await this.#call(() => this.sdk.models.service.getAllByApplication(fleet.id, options));
    if (service) return service.id;
    const what = `${fleet.slug} has no service called ${SERVICE}: nothing has been pushed to it yet.`;
    throw new Fault('fleet_unknown', what, 'See docs/flash.md.');
  }

  async setOnService(service: number, name: string, value: string): Promise<void> {
    await this.#call(() => this.sdk.models.service.var.set(service, name, value));
  }

  /** Devices that have variables of their own by these names, which win over the fleet's: name -> ids of devices. */
  async ownVariables(fleet: CloudFleet, names: readonly string[]): Promise<Map<string, Set<number>>> {
    const owned = new Map<string, Set<number>>();
    const add = (name: string, device: number): void =>
      void owned.set(name, (owned.get(name) ?? new Set()).add(device));
    const device = { $any: { $alias: 'd', $expr: { d: { belongs_to__application: fleet.id } } } };
    const ofDevice = await this.#call(() =>
      this.sdk.pine.get({
        resource: 'device_environment_variable',
        options: { $select: ['name', 'device'], $filter: { device, name: { $in: names } } },
      }),
    );
    for (const row of ofDevice as { name: string; device: { __id: number } }[]) add(row.name, row.device.__id);
    const ofService = await this.#call(() =>
      this.sdk.pine.get({
        resource: 'device_service_environment_variable',
        options: {
          $select: ['name'],
          $expand: { service_install: { $select: ['device'] } },
          $filter: {
            service_install: { $any: { $alias: 'si', $expr: { si: { device } } } },
            name: { $in: names },
          },
        },
      }),
    );
    for (const row of ofService as { name: string; service_install: { device: { __id: number } }[] }[]) {
      for (const install of row.service_install) add(row.name, install.device.__id);
    }
    return owned;
  }

  /** Pins one device, or (null) lets it follow its fleet. One call, where `device.pinToRelease` makes three. */
  async pinDevice(device: CloudDevice, release: Release | null): Promise<void> {
    const body = { is_pinned_on__release: release?.id ?? null };
    await this.#call(() => this.sdk.pine.patch({ resource: 'device', id: device.id, body }));
  }

  async pinFleet(fleet: CloudFleet, release: Release): Promise<void> {
    await this.#call(() => this.sdk.models.application.pinToRelease(fleet.id, release.commit));
  }

  async trackFleet(fleet: CloudFleet): Promise<void> {
    await this.#call(() => this.sdk.models.application.trackLatestRelease(fleet.id));
  }

  /** The last `count` lines, oldest first. */
  async logs(device: CloudDevice, count: number): Promise<LogLine[]> {
    return this.#call(() => this.sdk.logs.history(device.uuid, { count }));
  }

  /** A text of one JSON line each, with an empty one now and then; `logs.subscribe` would not tell its end. */
  async followLogs(device: CloudDevice, count: number, signal: AbortSignal): Promise<NodeJS.ReadableStream> {
    const url = `/device/v2/${device.uuid}/logs`;
    return this.#call(() => this.sdk.request.stream({ url, baseUrl: this.apiUrl, qs: { count, stream: 1 }, signal }));
  }

  get #host(): string {
    return new URL(this.apiUrl).host;
  }

  /** A cloud that is busy (429) says when to come back, and has done nothing: then the same is asked again. */
  async #call<T>(work: () => Promise<T>): Promise<T> {
    for (let left = TRIES; ; left--) {
      try {
        return await work();
      } catch (error) {
        const ms = pauseMs(error);
        if (ms === undefined || left <= 1) throw this.#fault(error);
        const options = this.#stop ? { signal: this.#stop } : {};
        await setTimeout(ms, undefined, options).catch(() => {
          throw this.#fault(error);
        });
      }
    }
  }

  #fault(thrown: unknown): Fault {
    if (thrown instanceof Fault) return thrown;
    const { code, statusCode, message } = thrown as { code?: string; statusCode?: number; message?: string };
    const said = firstLine(message ?? String(thrown));
    if (code === 'BalenaNotLoggedIn' || code === 'BalenaExpiredToken' || statusCode === 401 || statusCode === 403) {
      const remedy = 'Its owner must be at least a developer of this fleet.';
      return new Fault('fleet_denied', `${this.#host} does not allow this with this API key.`, remedy);
    }
    if (code !== undefined && /^Balena\w*NotFound$/.test(code)) {
      const remedy = code === 'BalenaServiceNotFound' ? 'A device gets it with its first release.' : '';
      return new Fault('fleet_unknown', `${this.#host}: ${said}.`, remedy);
    }
    if (code !== undefined && /^BalenaAmbiguous/.test(code)) {
      return new Fault('fleet_unknown', `${this.#host}: ${said}.`, 'Give more of it.');
    }
    if (statusCode === 429) {
      const seconds = retryAfter(thrown);
      const pause = seconds > 0 ? ` for ${Math.ceil(seconds)} s` : '';
      return new Fault('fleet_busy', `${this.#host} accepts no further requests${pause} (429).`, 'Try again later.');
    }
    if (statusCode !== undefined) {
      return new Fault('fleet_refused', `${this.#host} answered with ${statusCode}: ${said}.`);
    }
    const cause = (thrown as { cause?: { message?: unknown } }).cause?.message;
    const why = typeof cause === 'string' && cause !== '' ? firstLine(cause) : said;
    return new Fault('fleet_unreachable', `${this.#host} cannot be reached: ${why}.`, 'Try again.');
  }
}

/** Milliseconds after which the cloud wants to be asked again; undefined where it says nothing like that. */
function pauseMs(error: unknown): number | undefined {
  const { statusCode } = error as { statusCode?: number };
  const seconds = retryAfter(error);
  return statusCode === 429 && seconds >= 0 && seconds <= LONGEST_PAUSE_S ? seconds * 1000 : undefined;
}

/** Seconds; NaN where it does not say. */
function retryAfter(error: unknown): number {
  const { responseHeaders } = error as { responseHeaders?: Headers };
  return Number(responseHeaders?.get('Retry-After') || NaN);
}

/** A cause may be several lines, an answer a whole page. */
const firstLine = (text: string): string =>
  (text.split('\n')[0] ?? '')
    .slice(0, 200)
    .replace(/^Request error: /, '')
    .trim()
    .replace(/\.$/, '');
