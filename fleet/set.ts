/** `makercast fleet set`: settings as balena variables, of devices or of the whole fleet. */
import type { Assignment } from './assignments.js';
import { SERVICE, type Cloud } from './cloud.js';
import type { Console } from './console.js';
import { plain } from './console.js';
import { changeEach } from './batch.js';
import type { CloudDevice, CloudFleet } from './sdk.js';

export interface Setting {
  readonly fleet: CloudFleet;
  readonly assignments: readonly Assignment[];
  readonly dryRun: boolean;
  readonly json: boolean;
  /** The command line up to its devices, to be repeated for those that failed. */
  readonly again: readonly string[];
}

const shown = (assignments: readonly Assignment[]): string =>
  assignments.map(({ name, shown: value }) => `${name} = ${value}`).join(', ');

const variables = (assignments: readonly Assignment[]): object[] =>
  assignments.map(({ name, path, shown: value }) => ({ name, path, value }));

/** What a change of a variable does to a broadcast. */
const EFFECT = 'A device applies a variable by restarting makercast: at once, or when its update lock is free.';

/** One variable a setting and device. */
export async function setOnDevices(
  { fleet, assignments, dryRun, json, again }: Setting,
  devices: readonly CloudDevice[],
  cloud: Cloud,
  console: Console,
  signal: AbortSignal,
): Promise<number> {
  const change = {
    devices,
    slug: fleet.slug,
    what: { variables: variables(assignments) },
    effect: EFFECT,
    dryRun,
    json,
    again,
    would: (some: string) => `set ${shown(assignments)} on ${some}`,
    work: async (device: CloudDevice) => {
      for (const { name, text } of assignments) await cloud.setOnDevice(device, name, text);
    },
  };
  return changeEach(change, console, signal);
}

/** One variable a setting, whatever the number of devices; those with a variable of their own keep it, and are named. */
export async function setOnFleet(
  { fleet, assignments, dryRun, json }: Setting,
  devices: readonly CloudDevice[],
  cloud: Cloud,
  console: Console,
): Promise<number> {
  const service = await cloud.service(fleet);
  const names = assignments.map(({ name }) => name);
  const owned = await cloud.ownVariables(fleet, names);
  if (!dryRun) for (const { name, text } of assignments) await cloud.setOnService(service, name, text);
  const exceptions = devices.flatMap(({ id, uuid, device_name }) => {
    const own = names.filter((name) => owned.get(name)?.has(id));
    return own.length > 0 ? [{ uuid, name: device_name, variables: own }] : [];
  });
  if (json) {
    const document = { fleet: fleet.slug, dryRun, variables: variables(assignments), exceptions };
    console.print(JSON.stringify(document));
    return 0;
  }
  console.print(
    `${dryRun ? 'Would set' : 'Set'} ${shown(assignments)} for all ${devices.length} devices of ${fleet.slug} (service ${SERVICE}).`,
  );
  for (const { uuid, name, variables: own } of exceptions) {
    console.note(`${uuid.slice(0, 7)} ${plain(name)} keeps its own ${own.join(', ')}.`);
  }
  if (!dryRun) console.note(EFFECT);
  return 0;
}
