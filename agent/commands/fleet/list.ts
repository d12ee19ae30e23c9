/** `makercast fleet list`: what every device says of itself. */
import type { Console } from './console.js';
import { plain } from './console.js';
import type { CloudDevice, Release } from './sdk.js';
import { age, table } from './table.js';
import { short, tagOf } from './targets.js';

/** Tags that a device writes about itself (docs/fleet.md). Balena keeps no time with a tag, so one of them is the time. */
export const tags = {
  /** As in the status document: `live`, `idle`, `degraded`, … */
  state: 'makercast.state',
  /** Degrees Celsius. */
  temperature: 'makercast.temperature',
  /** When these were written, as in 2026-11-21T10:00:00Z. */
  at: 'makercast.at',
};

export interface Seen {
  readonly uuid: string;
  readonly name: string;
  readonly online: boolean;
  readonly release?: string;
  /** The release that this device alone is pinned on. */
  readonly pinned?: string;
  readonly state?: string;
  /** °C. */
  readonly temperature?: number;
  /** Seconds since state and temperature were written. */
  readonly ageSeconds?: number;
}

/** A release for people: its version where it has one, and the beginning of its commit. */
export const releaseName = ({ commit, raw_version }: Release): string =>
  raw_version === '' ? commit.slice(0, 7) : `${raw_version} (${commit.slice(0, 7)})`;

/** `now`: milliseconds since 1970. */
export function seen(device: CloudDevice, now: number): Seen {
  const [running] = device.is_running__release;
  const [pinned] = device.is_pinned_on__release;
  const state = tagOf(device, tags.state);
  const temperature = parseFloat(tagOf(device, tags.temperature) ?? '');
  const at = Date.parse(tagOf(device, tags.at) ?? '');
  return {
    uuid: device.uuid,
    name: device.device_name,
    online: device.is_online,
    ...(running && { release: releaseName(running) }),
    ...(pinned && { pinned: releaseName(pinned) }),
    ...(state !== undefined && { state }),
    ...(Number.isFinite(temperature) && { temperature }),
    ...(Number.isFinite(at) && { ageSeconds: Math.max(0, Math.round((now - at) / 1000)) }),
  };
}

export function list(devices: readonly CloudDevice[], now: number, json: boolean, console: Console): number {
  const all = devices.map((device) => seen(device, now));
  if (json) {
    console.print(JSON.stringify(all));
    return 0;
  }
  const rows = devices.map((device, index) => {
    const { name, online, release, pinned, state, temperature, ageSeconds } = all[index]!;
    return [
      short(device),
      plain(name),
      online ? 'yes' : 'no',
      plain(state ?? '-'),
      `${release ?? '-'}${pinned === undefined ? '' : ', pinned'}`,
      temperature === undefined ? '-' : `${temperature.toFixed(0)} °C`,
      ageSeconds === undefined ? '-' : age(ageSeconds * 1000),
    ];
  });
  for (const line of table([['DEVICE', 'NAME', 'ONLINE', 'STATE', 'RELEASE', 'CPU', 'TOLD AGO'], ...rows])) {
    console.print(line);
  }
  return 0;
}
