/** Which devices are meant. */
import { Fault } from '../agent/errors.js';
import type { CloudDevice } from './sdk.js';

/** Beginnings of an uuid shorter than this are taken for names only. */
const SHORTEST = 4;

/** The first digits of an uuid, as the dashboard shows them. */
export const short = ({ uuid }: CloudDevice): string => uuid.slice(0, 7);

/** What a tag says, or undefined where the device has none of that name. */
export const tagOf = ({ device_tag }: CloudDevice, key: string): string | undefined =>
  device_tag.find(({ tag_key }) => tag_key === key)?.value;

/**
 * The devices of `all` by name, uuid or the beginning of one, or by a tag (`TAG`, `TAG=VALUE`); all where neither is given.
 * @throws Fault `fleet_unknown` where one is not found, is not the only one, or no device has the tag.
 */
export function select(
  all: readonly CloudDevice[],
  { devices, tag }: { readonly devices: readonly string[]; readonly tag: string | undefined },
): CloudDevice[] {
  if (tag !== undefined) return tagged(all, tag);
  if (devices.length === 0) return [...all];
  return [...new Set(devices.map((wanted) => one(all, wanted)))];
}

function one(all: readonly CloudDevice[], wanted: string): CloudDevice {
  const exact = all.filter(({ uuid, device_name }) => uuid === wanted || device_name === wanted);
  const begins = wanted.length >= SHORTEST ? all.filter(({ uuid }) => uuid.startsWith(wanted.toLowerCase())) : [];
  const [found, another] = exact.length > 0 ? exact : begins;
  const name = JSON.stringify(wanted);
  if (!found) throw new Fault('fleet_unknown', `There is no device ${name} in this fleet.`, '"fleet list" lists them.');
  if (another) throw new Fault('fleet_unknown', `More than one device is called ${name}.`, 'Give more of its uuid.');
  return found;
}

function tagged(all: readonly CloudDevice[], tag: string): CloudDevice[] {
  const equals = tag.indexOf('=');
  const key = equals < 0 ? tag : tag.slice(0, equals);
  const value = equals < 0 ? undefined : tag.slice(equals + 1);
  const found = all.filter((device) => {
    const given = tagOf(device, key);
    return given !== undefined && (value === undefined || given === value);
  });
  if (found.length > 0) return found;
  throw new Fault(
    'fleet_unknown',
    `No device of this fleet has the tag ${JSON.stringify(tag)}.`,
    'Tags are set in the dashboard.',
  );
}
