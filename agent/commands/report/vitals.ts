/** Memory, heat and power of the machine at one moment. */
import path from 'node:path';
import { loadavg } from 'node:os';
import { temperature } from '../../machine/host/health.js';
import { memory, type Memory } from '../../machine/host/meminfo.js';
import { strain, throttledWord, type Strain } from '../../machine/host/power.js';
import { textOf } from '../../machine/host/sysfs.js';

export interface Vitals {
  readonly memory: Memory | undefined;
  readonly strain: Strain | undefined;
  /** `get_throttled` of the firmware, in hexadecimal. */
  readonly throttled: string | undefined;
  /** °C. */
  readonly temperature: number | undefined;
  /** MHz of the first processor, and the most that it is given. */
  readonly clock: { readonly mhz: number; readonly maxMhz: number } | undefined;
  /** Processes that ran or waited, over the last minute. */
  readonly load: number;
}

export async function vitals(root = '/'): Promise<Vitals> {
  const folder = path.join(root, 'sys/devices/system/cpu/cpu0/cpufreq');
  const [found, strained, throttled, degrees, current, max] = await Promise.all([
    memory(root),
    strain(root),
    throttledWord(root),
    temperature(root),
    textOf(path.join(folder, 'scaling_cur_freq')),
    textOf(path.join(folder, 'scaling_max_freq')),
  ]);
  // In kHz (kernel documentation, admin-guide/pm/cpufreq).
  const clock = current && max ? { mhz: Number(current) / 1000, maxMhz: Number(max) / 1000 } : undefined;
  return { memory: found, strain: strained, throttled, temperature: degrees, clock, load: loadavg()[0] ?? 0 };
}

const yes = (is: boolean | undefined): string | undefined => (is === undefined ? undefined : is ? 'yes' : 'no');

/** Name and value of each; what the machine does not tell is left out. */
export function vitalRows(found: Vitals): (readonly [string, string | undefined])[] {
  const { memory: mb, strain: strained, throttled, temperature: degrees, clock, load } = found;
  return [
    ['Memory', mb && `${mb.totalMb} MB, ${mb.availableMb} MB available`],
    ['CMA', mb?.cmaTotalMb === undefined ? undefined : `${mb.cmaTotalMb} MB, ${mb.cmaFreeMb} MB free`],
    ['Temperature', degrees === undefined ? undefined : `${degrees.toFixed(1)} °C`],
    ['Under-voltage', yes(strained?.underVoltage)],
    ['Too hot', yes(strained?.hot)],
    ['Throttled', yes(strained?.throttled)],
    ['`get_throttled`', throttled === undefined ? undefined : `0x${throttled}`],
    ['Clock', clock && `${clock.mhz.toFixed(0)} of ${clock.maxMhz.toFixed(0)} MHz`],
    ['Load', load.toFixed(2)],
  ];
}
