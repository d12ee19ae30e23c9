/** What a device says about itself: its model and temperature. Each is one small file, cheap enough to read every few seconds. */
import path from 'node:path';
import { namesIn, textOf } from './sysfs.js';

/** Such as `Raspberry Pi 3 Model B Plus Rev 1.3`; undefined on machines without a device tree (PCs). */
export const model = (root = '/'): Promise<string | undefined> => textOf(path.join(root, 'proc/device-tree/model'));

/** Which thermal zone is the processor's, best first: Pi `cpu-thermal`, Debian's kernel on a Pi, PC package, any other SoC. */
const processorZones: readonly RegExp[] = [/^cpu[-_]?thermal/, /^bcm\d+_thermal/, /^x86_pkg_temp/, /soc|cpu/i];

/** Temperature of the processor in °C; undefined where there is no sensor. */
export async function temperature(root = '/'): Promise<number | undefined> {
  const folder = path.join(root, 'sys/class/thermal');
  const zones = (await namesIn(folder)).filter((name) => name.startsWith('thermal_zone')).sort();
  const types = await Promise.all(zones.map((zone) => textOf(path.join(folder, zone, 'type'))));
  const ranks = types.map((type) => {
    const rank = processorZones.findIndex((pattern) => pattern.test(type ?? ''));
    return rank < 0 ? processorZones.length : rank;
  });
  const zone = zones[ranks.indexOf(Math.min(...ranks))];
  if (zone === undefined) return undefined;
  // Thousandths of a degree; a zone that is switched off gives an error, or a value that is no temperature.
  const text = await textOf(path.join(folder, zone, 'temp'));
  const degrees = text ? Number(text) / 1000 : NaN;
  return degrees > -60 && degrees < 200 ? degrees : undefined;
}
