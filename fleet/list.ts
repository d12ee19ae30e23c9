/** `makercast fleet list`: what every device says of itself. */
import { tagNames } from '../agent/interfaces/balena/tags.js';
import type { Console } from './console.js';
import { plain } from './console.js';
import type { Live, OutputFigures } from './live.js';
import type { CloudDevice, Release } from './sdk.js';
import { age, table } from './table.js';
import { short, tagOf } from './targets.js';

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
  /** What it says by MQTT at this moment. */
  readonly live?: Live;
}

/** A release for people: its version where it has one, and the beginning of its commit. */
export const releaseName = ({ commit, raw_version }: Release): string =>
  raw_version === '' ? commit.slice(0, 7) : `${raw_version} (${commit.slice(0, 7)})`;

/** `now`: milliseconds since 1970. */
export function seen(device: CloudDevice, live: Live | undefined, now: number): Seen {
  const [running] = device.is_running__release;
  const [pinned] = device.is_pinned_on__release;
  const state = tagOf(device, tagNames.state);
  const temperature = parseFloat(tagOf(device, tagNames.temperature) ?? '');
  const problems = (tagOf(device, tagNames.problems) ?? 'none').split(', ').filter((code) => code !== 'none');
  const since = Date.parse(tagOf(device, tagNames.since) ?? '');
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
    ...(live && { live }),
  };
}

/** `heard`: what the devices say by MQTT, by uuid, where there is a broker. */
export function list(
  devices: readonly CloudDevice[],
  heard: ReadonlyMap<string, Live> | undefined,
  now: number,
  json: boolean,
  console: Console,
): number {
  const all = devices.map((device) => seen(device, heard?.get(device.uuid), now));
  if (json) {
    console.print(JSON.stringify(all));
    return 0;
  }
  const heads = [
    'DEVICE',
    'NAME',
    'ONLINE',
    'STATE',
    'RELEASE',
    'CPU',
    'SINCE',
    ...(heard ? liveHeads : []),
    'PROBLEMS',
  ];
  const rows = devices.map((device, index) => {
    const { name, online, release, pinned, state, temperature, problems, ageSeconds, live } = all[index]!;
    return [
      short(device),
      plain(name),
      online ? 'yes' : 'no',
      plain(state ?? '-'),
      `${release ?? '-'}${pinned === undefined ? '' : ', pinned'}`,
      degrees(temperature),
      ageSeconds === undefined ? '-' : age(ageSeconds * 1000),
      ...(heard ? liveCells(live ?? {}) : []),
      plain(problems?.join(', ') ?? '-'),
    ];
  });
  for (const line of table([heads, ...rows])) console.print(line);
  return 0;
}

const liveHeads: readonly string[] = ['NOW', 'CPU NOW', 'FPS', 'KBIT/S', 'OUTPUTS'];

function liveCells({ state, update, temperature, fps, kbps, outputs = {} }: Live): string[] {
  const each = Object.entries(outputs).map(([name, output]) => `${name} ${delivered(output)}`);
  return [
    plain([state ?? '-', update ?? []].flat().join(', ')),
    degrees(temperature),
    fps?.toFixed(1) ?? '-',
    kbps?.toFixed(0) ?? '-',
    plain(each.join(', ') || '-'),
  ];
}

/** What goes out, or why nothing does. */
const delivered = ({ state, deliveredKbps }: OutputFigures): string =>
  state === 'live' ? deliveredKbps.toFixed(0) : state;

const degrees = (temperature: number | undefined): string =>
  temperature === undefined ? '-' : `${temperature.toFixed(0)} °C`;
