/** `makercast fleet list`: what every device says of itself. */
import type { Console } from './console.js';
import { plain } from './console.js';
import type { CloudDevice, Release } from './sdk.js';
import { age, table } from './table.js';
import { short, tagOf } from './targets.js';

/** Tags that a device writes about itself, when they change. Balena keeps no time with a tag, so one of them is the time. */
export const tags = {
  /** As in the status document: `live`, `idle`, `degraded`, … */
  state: 'makercast.state',
  /** Codes of docs/errors.md, or `none`. */
  problems: 'makercast.problems',
  /** Degrees Celsius. */
  temperature: 'makercast.temperature',
  /** When the others came to be as they are, as in 2026-11-21T10:00:00Z. */
  since: 'makercast.since',
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
  readonly problems?: readonly string[];
  /** Seconds since state, temperature and problems were written: they have not changed since, or the device is not heard of. */
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
  const problems = (tagOf(device, tags.problems) ?? 'none').split(', ').filter((code) => code !== 'none');
  const since = Date.parse(tagOf(device, tags.since) ?? '');
  return {
    uuid: device.uuid,
    name: device.device_name,
    online: device.is_online,
    ...(running && { release: releaseName(running) }),
    ...(pinned && { pinned: releaseName(pinned) }),
    ...(state !== undefined && { state }),
    ...(Number.isFinite(temperature) && { temperature }),
    ...(problems.length > 0 && { problems }),
    ...(Number.isFinite(since) && { ageSeconds: Math.max(0, Math.round((now - since) / 1000)) }),
  };
}

export function list(devices: readonly CloudDevice[], now: number, json: boolean, console: Console): number {
  const all = devices.map((device) => seen(device, now));
  if (json) {
    console.print(JSON.stringify(all));
    return 0;
  }
  const rows = devices.map((device, index) => {
    const { name, online, release, pinned, state, temperature, problems, ageSeconds } = all[index]!;
    return [
      short(device),
      plain(name),
      online ? 'yes' : 'no',
      plain(state ?? '-'),
      `${release ?? '-'}${pinned === undefined ? '' : ', pinned'}`,
      temperature === undefined ? '-' : `${temperature.toFixed(0)} °C`,
      ageSeconds === undefined ? '-' : age(ageSeconds * 1000),
      plain(problems?.join(', ') ?? '-'),
    ];
  });
  for (const line of table([['DEVICE', 'NAME', 'ONLINE', 'STATE', 'RELEASE', 'CPU', 'SINCE', 'PROBLEMS'], ...rows])) {
    console.print(line);
  }
  return 0;
}
