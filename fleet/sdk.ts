/** balena-sdk as far as it is used here, and how it is found: it lies apart, and only the fleet tool installs it. */
import { createRequire } from 'node:module';
import { Fault } from '../agent/errors.js';

/** A resource of balena's API by its natural key: a reference is a list of none or one. */
export interface Release {
  readonly id: number;
  readonly commit: string;
  readonly raw_version: string;
}

export interface CloudFleet {
  readonly id: number;
  readonly slug: string;
  readonly should_track_latest_release: boolean;
  readonly should_be_running__release: readonly Release[];
}

export interface CloudDevice {
  readonly id: number;
  readonly uuid: string;
  readonly device_name: string;
  readonly is_online: boolean;
  readonly is_running__release: readonly Release[];
  readonly is_pinned_on__release: readonly Release[];
  readonly device_tag: readonly { readonly tag_key: string; readonly value: string }[];
}

export interface LogLine {
  readonly message: string;
  /** Milliseconds since 1970, by the clock of the device. */
  readonly timestamp: number;
  readonly isSystem: boolean;
  readonly isStdErr: boolean;
}

/** OData options as pinejs takes them. */
type Options = Readonly<Record<string, unknown>>;

/**
 * Methods of balena-sdk 22.4.9, written down by hand: its own declarations weigh megabytes and are not there where it is not
 * installed. That they are as they are written is what test/fleet/ shows, which runs the real one.
 */
export interface Sdk {
  readonly auth: {
    loginWithToken(token: string): Promise<void>;
    isLoggedIn(): Promise<boolean>;
  };
  readonly pine: {
    get(query: { resource: string; options: Options }): Promise<unknown>;
    patch(query: { resource: string; id: number; body: Options }): Promise<unknown>;
  };
  readonly models: {
    readonly application: {
      get(slug: string, options: Options): Promise<CloudFleet>;
      getAllDirectlyAccessible(options: Options): Promise<CloudFleet[]>;
      pinToRelease(id: number, commit: string): Promise<void>;
      trackLatestRelease(id: number): Promise<void>;
    };
    readonly device: {
      readonly serviceVar: { set(id: number, service: string, name: string, value: string): Promise<void> };
    };
    readonly release: {
      get(wanted: string | { application: number; rawVersion: string }, options: Options): Promise<Release>;
    };
    readonly service: {
      getAllByApplication(id: number, options: Options): Promise<{ id: number; service_name: string }[]>;
      readonly var: { set(id: number, name: string, value: string): Promise<void> };
    };
  };
  readonly request: {
    stream(options: { url: string; baseUrl: string; qs: Options; signal: AbortSignal }): Promise<NodeJS.ReadableStream>;
  };
  readonly logs: { history(uuid: string, options: { count: number }): Promise<LogLine[]> };
}

/** Where setup/modules.mjs installs it, from dist/fleet. */
const folder = new URL('../../.cache/fleet/package.json', import.meta.url);

/** @throws Fault `fleet_missing` where balena-sdk is not installed. */
export function loadSdk(apiUrl: string): Sdk {
  try {
    const { getSdk } = createRequire(folder)('balena-sdk') as { getSdk(options: object): Sdk };
    // No key is ever written to a disk. (Its `retryRateLimitedRequests` does nothing in 22.4.9: it asks for an error of a class
    // that another copy of balena-errors makes. `cloud.ts` does the same.)
    return getSdk({ apiUrl, dataDirectory: false });
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'MODULE_NOT_FOUND') throw error;
    throw new Fault(
      'fleet_missing',
      'balena-sdk is not installed (device images leave it out).',
      'In a clone of the repository "npx makercast fleet list" installs it; do not install it on a device.',
    );
  }
}
