/** `makercast fleet release`: which release the fleet, or its canaries alone, are to run. */
import type { Cloud } from './cloud.js';
import type { Console } from './console.js';
import { plain } from './console.js';
import { releaseName } from './list.js';
import { changeEach } from './batch.js';
import type { CloudDevice, CloudFleet, Release } from './sdk.js';
import { short } from './targets.js';

export interface Target {
  readonly fleet: CloudFleet;
  /** What is to run; null: the fleet takes the newest, a device what its fleet has. */
  readonly release: Release | null;
  readonly dryRun: boolean;
  readonly json: boolean;
  readonly again: readonly string[];
}

/** Pins (or frees) these devices, whatever the rest of the fleet does. */
export async function releaseOfDevices(
  { fleet, release, dryRun, json, again }: Target,
  devices: readonly CloudDevice[],
  cloud: Cloud,
  console: Console,
  signal: AbortSignal,
): Promise<number> {
  const change = {
    devices,
    slug: fleet.slug,
    what: { release: named(release) },
    dryRun,
    json,
    again,
    would: (some: string) =>
      release ? `pin ${some} to ${releaseName(release)}` : `unpin ${some}, to follow their fleet`,
    work: (device: CloudDevice) => cloud.pinDevice(device, release),
  };
  return changeEach(change, console, signal);
}

const named = (release: Release | null): object | null =>
  release && { commit: release.commit, version: release.raw_version };

/** Pins the fleet, or lets it take the newest release. Devices that are pinned on their own stay where they are, and are named. */
export async function releaseOfFleet(
  { fleet, release, dryRun, json }: Target,
  devices: readonly CloudDevice[],
  cloud: Cloud,
  console: Console,
): Promise<number> {
  if (!dryRun) await (release ? cloud.pinFleet(fleet, release) : cloud.trackFleet(fleet));
  const own = devices.filter((device) => device.is_pinned_on__release.length > 0);
  if (json) {
    const exceptions = own.map(({ uuid, device_name: name }) => ({ uuid, name }));
    console.print(JSON.stringify({ fleet: fleet.slug, dryRun, release: named(release), exceptions }));
    return 0;
  }
  const before = fleet.should_track_latest_release
    ? 'the newest'
    : fleet.should_be_running__release.map(releaseName).join();
  const now = release ? releaseName(release) : 'the newest';
  console.print(`${fleet.slug} ${dryRun ? 'would run' : 'is to run'} ${now}; before: ${before || 'none'}.`);
  for (const device of own) {
    const pinned = device.is_pinned_on__release.map(releaseName).join();
    console.note(`${short(device)} ${plain(device.device_name)} stays on ${pinned}: it is pinned individually.`);
  }
  return 0;
}
