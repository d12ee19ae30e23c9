/**
 * balena's API as far as `makercast fleet` may ask it: what stands in `routes`, and nothing else. Each route says which function
 * of balena-sdk 22.4.9 makes the call (files of its `es2018/`); any other call is answered with 501, kept in `unexpected`, and
 * fails the test when the server is closed.
 */
import assert from 'node:assert/strict';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { within } from '../feed.js';

export interface ApiDevice {
  readonly id: number;
  readonly uuid: string;
  readonly name: string;
  readonly online: boolean;
  tags: Record<string, string>;
  /** Ids of releases. */
  running?: number;
  pinned?: number | null;
  /** Service variables of this device, and those that all its services get. */
  variables: Record<string, string>;
  readonly deviceVariables: Record<string, string>;
  /** Status with which every write for this device is answered. */
  refused?: number;
  /** It has not run the service yet, so there is no service_install. */
  readonly bare?: boolean;
}

export interface ApiRelease {
  readonly id: number;
  readonly commit: string;
  readonly raw_version: string;
  readonly status: 'success' | 'failed';
}

export interface ApiFleet {
  readonly id: number;
  readonly slug: string;
  readonly service: number;
  readonly variables: Record<string, string>;
  devices: ApiDevice[];
  readonly releases: readonly ApiRelease[];
  target?: number;
  tracks: boolean;
}

export interface Call {
  readonly method: string;
  /** Path and query, decoded. */
  readonly path: string;
  readonly body: string;
}

interface Answer {
  readonly status?: number;
  readonly json?: unknown;
  readonly text?: string;
  readonly headers?: Record<string, string>;
}

interface Route {
  /** Who calls it: file of balena-sdk and function, or our own call of its pinejs client. */
  readonly by: string;
  readonly pattern: RegExp;
  answer(api: BalenaApi, match: RegExpExecArray, body: Record<string, unknown>): Answer;
}

const releaseSelect = '\\$select=id,commit,raw_version';
const fleetFields = `\\$select=id,slug,should_track_latest_release&\\$expand=should_be_running__release\\(${releaseSelect}\\)`;
const ofFleet = '(?:si:si/)?device/any\\(d:d/belongs_to__application eq (\\d+)\\)';
/** A service_install of a device of this number. */
const INSTALL = 1000;

const d = (rows: readonly unknown[]): Answer => ({ json: { d: rows } });
const ok: Answer = { text: 'OK' };
/** PinejsClient.upsert makes a PATCH of a POST that is answered like this. */
const exists = (what: string): Answer => ({ status: 409, json: `"${what}" and "name" must be unique.` });

const routes: readonly Route[] = [
  {
    by: 'facts; auth.js isLoggedIn',
    pattern: /^GET \/actor\/v1\/whoami$/,
    answer: () => ({ json: { id: 1, actorType: 'user', actorTypeId: 1, username: 'admin', email: null } }),
  },
  {
    by: 'models/application.js get, by slug',
    pattern: new RegExp(`^GET /v7/application\\?\\$filter=slug eq '(.*)' or uuid eq '\\1'&${fleetFields}$`),
    answer: (api, [, slug]) => d(api.fleets.filter((fleet) => fleet.slug === slug).map(fleetRow)),
  },
  {
    by: 'models/application.js getAllDirectlyAccessible',
    pattern: new RegExp(
      `^GET /v7/application\\?\\$filter=is_directly_accessible_by__user/any\\(dau:1 eq 1\\)&\\$orderby=app_name asc&${fleetFields}$`,
    ),
    answer: (api) => d(api.fleets.map(fleetRow)),
  },
  {
    by: 'facts (device.get); pine.get, whole fleet at once',
    pattern: new RegExp(
      '^GET /v7/device\\?\\$select=id,uuid,device_name,is_online' +
        `&\\$expand=is_running__release\\(${releaseSelect}\\),is_pinned_on__release\\(${releaseSelect}\\),device_tag\\(\\$select=tag_key,value\\)` +
        '&\\$orderby=device_name asc&\\$filter=belongs_to__application eq (\\d+)$',
    ),
    answer: (api, [, id]) => {
      const fleet = api.fleet(Number(id));
      const sorted = [...fleet.devices].sort((a, b) => (a.name < b.name ? -1 : 1));
      return d(sorted.map((device) => deviceRow(fleet, device)));
    },
  },
  {
    by: 'models/release.js get, by commit',
    pattern: new RegExp(
      `^GET /v7/release\\?\\$filter=startswith\\(commit,'([0-9a-f]+)'\\) and status eq 'success' and belongs_to__application eq (\\d+)&${releaseSelect}$`,
    ),
    answer: (api, [, commit = '', id]) =>
      d(good(api.fleet(Number(id))).filter((release) => release.commit.startsWith(commit))),
  },
  {
    by: 'models/release.js get, by version',
    pattern: new RegExp(
      `^GET /v7/release\\?\\$filter=raw_version eq '(.*)' and belongs_to__application eq (\\d+) and status eq 'success' and belongs_to__application eq \\2&${releaseSelect}$`,
    ),
    answer: (api, [, version, id]) =>
      d(good(api.fleet(Number(id))).filter((release) => release.raw_version === version)),
  },
  {
    by: 'models/application.js get, for release.get by version',
    pattern: /^GET \/v7\/application\((\d+)\)\?\$select=id$/,
    answer: (api, [, id]) => d([{ id: api.fleet(Number(id)).id }]),
  },
  {
    by: 'models/application.js pinToRelease, its release.get',
    pattern:
      /^GET \/v7\/release\?\$filter=startswith\(commit,'([0-9a-f]{40})'\) and belongs_to__application eq (\d+) and status eq 'success'&\$select=id&\$top=1$/,
    answer: (api, [, commit, id]) =>
      d(
        good(api.fleet(Number(id)))
          .filter((release) => release.commit === commit)
          .map((release) => ({ id: release.id })),
      ),
  },
  {
    by: 'models/application.js trackLatestRelease',
    pattern:
      /^GET \/v7\/application\((\d+)\)\?\$select=id&\$expand=owns__release\(\$select=id;\$top=1;\$filter=is_final eq true and is_passing_tests eq true and is_invalidated eq false and status eq 'success';\$orderby=created_at desc\)$/,
    answer: (api, [, id]) => {
      const fleet = api.fleet(Number(id));
      const newest = good(fleet).at(-1);
      return d([{ id: fleet.id, owns__release: newest ? [{ id: newest.id }] : [] }]);
    },
  },
  {
    by: 'models/application.js pinToRelease, trackLatestRelease',
    pattern: /^PATCH \/v7\/application\((\d+)\)$/,
    answer: (api, [, id], body) => {
      const fleet = api.fleet(Number(id));
      assert.deepEqual(
        Object.keys(body).filter(
          (name) => !['should_be_running__release', 'should_track_latest_release'].includes(name),
        ),
        [],
      );
      fleet.target = Number(body['should_be_running__release']);
      fleet.tracks = body['should_track_latest_release'] === true;
      return ok;
    },
  },
  {
    by: 'pine.patch, as models/device.js pinToRelease and trackApplicationRelease write it',
    pattern: /^PATCH \/v7\/device\((\d+)\)$/,
    answer: (api, [, id], body) => {
      const device = api.device(Number(id));
      if (device.refused !== undefined) return { status: device.refused, text: 'The release does not fit.' };
      assert.deepEqual(Object.keys(body), ['is_pinned_on__release']);
      device.pinned = body['is_pinned_on__release'] as number | null;
      return ok;
    },
  },
  {
    by: 'facts; models/device.js serviceVar.set',
    pattern:
      /^GET \/v7\/service_install\?\$select=id&\$filter=device eq (\d+) and installs__service\/any\(s:s\/service_name eq 'makercast'\)$/,
    answer: (api, [, id]) => d(api.device(Number(id)).bare ? [] : [{ id: INSTALL + Number(id) }]),
  },
  {
    by: 'models/device.js serviceVar.set',
    pattern: /^POST \/v7\/device_service_environment_variable$/,
    answer: (api, _, body) => {
      const device = api.device(Number(body['service_install']) - INSTALL);
      const name = String(body['name']);
      if (device.refused !== undefined) return { status: device.refused, text: 'It is not to be.\nAnd this is why.' };
      if (Object.hasOwn(device.variables, name)) return exists('service install');
      device.variables[name] = String(body['value']);
      return { status: 201, json: { id: 1 } };
    },
  },
  {
    by: 'models/device.js serviceVar.set: pinejs upsert after a 409',
    pattern:
      /^PATCH \/v7\/device_service_environment_variable\?\$filter=service_install eq (\d+) and name eq '([A-Z0-9_]+)'$/,
    answer: (api, [, install, name = ''], body) => {
      api.device(Number(install) - INSTALL).variables[name] = String(body['value']);
      return ok;
    },
  },
  {
    by: 'models/service.js getAllByApplication',
    pattern:
      /^GET \/v7\/application\((\d+)\)\?\$select=id&\$expand=service\(\$select=id,service_name;\$filter=service_name eq 'makercast'\)$/,
    answer: (api, [, id]) => {
      const fleet = api.fleet(Number(id));
      return d([{ id: fleet.id, service: [{ id: fleet.service, service_name: 'makercast' }] }]);
    },
  },
  {
    by: 'models/service.js var.set',
    pattern: /^POST \/v7\/service_environment_variable$/,
    answer: (api, _, body) => {
      const { variables } = api.fleets.find(({ service }) => service === body['service'])!;
      const name = String(body['name']);
      if (Object.hasOwn(variables, name)) return exists('service');
      variables[name] = String(body['value']);
      return { status: 201, json: { id: 1 } };
    },
  },
  {
    by: 'models/service.js var.set: pinejs upsert after a 409',
    pattern: /^PATCH \/v7\/service_environment_variable\?\$filter=service eq (\d+) and name eq '([A-Z0-9_]+)'$/,
    answer: (api, [, service, name = ''], body) => {
      api.fleets.find((fleet) => fleet.service === Number(service))!.variables[name] = String(body['value']);
      return ok;
    },
  },
  {
    by: 'pine.get, as models/device.js envVar.getAllByApplication asks',
    pattern: new RegExp(
      `^GET /v7/device_environment_variable\\?\\$select=name,device&\\$filter=${ofFleet} and name in \\((.*)\\)$`,
    ),
    answer: (api, [, id, names = '']) =>
      d(
        owned(api.fleet(Number(id)), names, 'deviceVariables').map(([name, device]) => ({
          name,
          device: { __id: device.id },
        })),
      ),
  },
  {
    by: 'pine.get, as models/device.js serviceVar.getAllByApplication asks',
    pattern: new RegExp(
      '^GET /v7/device_service_environment_variable\\?\\$select=name&\\$expand=service_install\\(\\$select=device\\)' +
        `&\\$filter=service_install/any\\(si:si/device/any\\(d:d/belongs_to__application eq (\\d+)\\)\\) and name in \\((.*)\\)$`,
    ),
    answer: (api, [, id, names = '']) =>
      d(
        owned(api.fleet(Number(id)), names, 'variables').map(([name, device]) => ({
          name,
          service_install: [{ device: { __id: device.id } }],
        })),
      ),
  },
  {
    by: 'facts (device.get); logs.js history',
    pattern: /^GET \/v7\/device\(uuid='([0-9a-f]{32})'\)\?\$select=uuid$/,
    answer: (api, [, uuid]) => d(api.devices.some((device) => device.uuid === uuid) ? [{ uuid }] : []),
  },
  {
    by: 'logs.js history',
    pattern: /^GET \/device\/v2\/([0-9a-f]{32})\/logs\?count=(\d+)$/,
    answer: (api, [, uuid = '', count]) =>
      api.devices.find((device) => device.uuid === uuid)?.refused
        ? { status: 400, text: 'No log of this device.' }
        : { json: count === '0' ? [] : api.logsOf(uuid).slice(-Number(count)) },
  },
];

function fleetRow({ id, slug, tracks, target, releases }: ApiFleet): object {
  const should_be_running__release = releases.filter((release) => release.id === target).map(releaseRow);
  return { id, slug, should_track_latest_release: tracks, should_be_running__release };
}

const releaseRow = ({ id, commit, raw_version }: ApiRelease): object => ({ id, commit, raw_version });

const good = ({ releases }: ApiFleet): ApiRelease[] => releases.filter(({ status }) => status === 'success');

function deviceRow({ releases }: ApiFleet, device: ApiDevice): object {
  const release = (id: number | null | undefined): object[] =>
    releases.filter((each) => each.id === id).map(releaseRow);
  return {
    id: device.id,
    uuid: device.uuid,
    device_name: device.name,
    is_online: device.online,
    is_running__release: release(device.running),
    is_pinned_on__release: release(device.pinned),
    device_tag: Object.entries(device.tags).map(([tag_key, value]) => ({ tag_key, value })),
  };
}

function owned(fleet: ApiFleet, names: string, where: 'variables' | 'deviceVariables'): [string, ApiDevice][] {
  const wanted = names.split(',').map((name) => name.replaceAll("'", ''));
  return fleet.devices.flatMap((device) =>
    wanted.filter((name) => Object.hasOwn(device[where], name)).map((name): [string, ApiDevice] => [name, device]),
  );
}

export class BalenaApi implements AsyncDisposable {
  readonly calls: Call[] = [];
  readonly unexpected: string[] = [];
  /** Most writes that were under way at the same time. */
  atOnce = 0;
  /** So many writes are kept waiting until they are all there. */
  gate = 0;
  /** Called when the gate is full, before it opens. */
  onGate: () => Promise<void> = () => Promise.resolve();
  /** Answers 429 to so many writes first; `pause`: with what in Retry-After. */
  busy = 0;
  pause = '0';
  readonly #server = createServer((request, response) => void this.#take(request, response));
  #waiting: (() => void)[] = [];
  #underWay = 0;
  /** Log lines that wait for those who follow. */
  readonly #followers = new Set<ServerResponse>();

  private constructor(
    readonly key: string,
    readonly fleets: ApiFleet[],
  ) {}

  static async start(key: string, fleets: ApiFleet[]): Promise<BalenaApi> {
    const api = new BalenaApi(key, fleets);
    await new Promise<void>((resolve) => api.#server.listen(0, '127.0.0.1', resolve));
    return api;
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as { port: number }).port}`;
  }

  get devices(): ApiDevice[] {
    return this.fleets.flatMap((fleet) => fleet.devices);
  }

  get writes(): Call[] {
    return this.calls.filter(({ method }) => method !== 'GET');
  }

  fleet(id: number): ApiFleet {
    return this.fleets.find((fleet) => fleet.id === id)!;
  }

  device(id: number): ApiDevice {
    return this.devices.find((device) => device.id === id)!;
  }

  logsOf(uuid: string): object[] {
    return [1, 2, 3].map((number) => ({
      message: `line ${number} of ${uuid.slice(0, 7)}\u001b[2J`,
      timestamp: 1_700_000_000_000 + number,
      createdAt: 1_700_000_000_000 + number,
      isSystem: false,
      isStdErr: false,
      serviceId: 1,
    }));
  }

  /** One more line for everybody who follows a log. */
  say(message: string): void {
    const line = {
      message,
      timestamp: 1_700_000_000_009,
      createdAt: 1_700_000_000_009,
      isSystem: true,
      isStdErr: false,
    };
    for (const follower of this.#followers) follower.write(`\n${JSON.stringify(line)}\n`);
  }

  /** Ends the logs of those who follow. */
  hangUp(): void {
    for (const follower of this.#followers) follower.end();
  }

  async #take(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const chunks: Buffer[] = [];
    for await (const chunk of request as AsyncIterable<Buffer>) chunks.push(chunk);
    const body = Buffer.concat(chunks).toString();
    const path = decodeURIComponent(request.url ?? '');
    const method = request.method ?? '';
    this.calls.push({ method, path, body });
    if (request.headers.authorization !== `Bearer ${this.key}`) {
      this.#send(response, { status: 401, text: 'Unauthorized' });
      return;
    }
    const follow = /^GET \/device\/v2\/([0-9a-f]{32})\/logs\?count=\d+&stream=1$/.exec(`${method} ${path}`);
    if (follow) {
      await this.#pass();
      this.#underWay--;
      response.writeHead(200, { 'Content-Type': 'application/x-ndjson' });
      for (const line of this.logsOf(follow[1]!)) response.write(`${JSON.stringify(line)}\n`);
      this.#followers.add(response);
      return;
    }
    const write = method !== 'GET';
    if (write && this.busy > 0) {
      this.busy--;
      this.#send(response, { status: 429, text: 'Too Many Requests', headers: { 'Retry-After': this.pause } });
      return;
    }
    const counts = write || /\/logs\?/.test(path);
    if (counts) await this.#pass();
    this.#send(response, this.#answer(method, path, body));
    if (counts) this.#underWay--;
  }

  async #pass(): Promise<void> {
    this.#underWay++;
    this.atOnce = Math.max(this.atOnce, this.#underWay);
    if (this.gate === 0) return;
    if (this.#waiting.length + 1 < this.gate) return new Promise((resolve) => this.#waiting.push(resolve));
    this.gate = 0;
    await this.onGate();
    this.#waiting.splice(0).forEach((go) => go());
  }

  #answer(method: string, path: string, body: string): Answer {
    for (const route of routes) {
      const match = route.pattern.exec(`${method} ${path}`);
      if (match) return route.answer(this, match, body === '' ? {} : (JSON.parse(body) as Record<string, unknown>));
    }
    this.unexpected.push(`${method} ${path}`);
    return { status: 501, text: 'The facts know no such call.' };
  }

  #send(response: ServerResponse, { status = 200, json, text, headers = {} }: Answer): void {
    const type = json === undefined ? 'text/plain' : 'application/json';
    response.writeHead(status, { 'Content-Type': type, ...headers });
    response.end(json === undefined ? text : JSON.stringify(json));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.hangUp();
    this.#server.closeAllConnections();
    await within(new Promise((resolve) => this.#server.close(resolve)), 5000, 'the end of the API');
    assert.deepEqual(this.unexpected, [], 'calls that the facts do not list');
  }
}
