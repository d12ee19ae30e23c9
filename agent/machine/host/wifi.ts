/** Whether Wi-Fi saves power: packets then wait for the next beacon, which looks like a network that cannot keep up. */
import path from 'node:path';
import { Fault } from '../../errors.js';
import { kernelLog } from './kernel-log.js';
import { run as runProgram, type Runner } from './run.js';
import { namesIn, textOf } from './sysfs.js';

export interface Wifi {
  /** Such as `wlan0`; absent where the interface is the host's, and only the kernel's log tells of it (in a container). */
  readonly interface?: string;
  /** Absent where neither `iw` nor the kernel's log tells. */
  readonly powerSave?: boolean;
}

const deadlineMs = 2000;

/** Each Wi-Fi interface that is up. /sys does not show how it saves power, and netlink, which does, Node.js does not speak. */
export async function wifi(root = '/', run: Runner = runProgram): Promise<Wifi[]> {
  const folder = path.join(root, 'sys/class/net');
  const names = await Promise.all(
    (await namesIn(folder)).sort().map(async (name) => {
      const isWifi = (await namesIn(path.join(folder, name))).some(
        (entry) => entry === 'phy80211' || entry === 'wireless',
      );
      return isWifi && (await textOf(path.join(folder, name, 'operstate'))) === 'up' ? [name] : [];
    }),
  );
  const found = await Promise.all(
    names.flat().map(async (name) => {
      const powerSave = await byIw(name, run);
      return { interface: name, ...(powerSave !== undefined && { powerSave }) };
    }),
  );
  if (found.some(({ powerSave }) => powerSave !== undefined)) return found;
  const powerSave = await byKernel(run);
  if (powerSave === undefined) return found;
  return found.length > 0 ? found.map((each) => ({ ...each, powerSave })) : [{ powerSave }];
}

/** Debian has `iw` in a folder that is not in everybody's path. */
async function byIw(name: string, run: Runner): Promise<boolean | undefined> {
  for (const program of ['iw', '/usr/sbin/iw']) {
    const { stdout, missing } = await run(program, ['dev', name, 'get', 'power_save'], { deadlineMs });
    const told = /^\s*Power save: (on|off)$/m.exec(stdout)?.[1];
    if (told !== undefined) return told === 'on';
    if (!missing) return undefined;
  }
  return undefined;
}

/** The driver of the Wi-Fi of every Pi says each change, in Raspberry Pi's kernels (RPi-Distro/raspi-config#282). */
async function byKernel(run: Runner): Promise<boolean | undefined> {
  const lines = await kernelLog(run).catch(() => []);
  const last = lines.findLast((line) => /brcmfmac: (?:\S+: )?power save (?:en|dis)abled/.test(line));
  return last === undefined ? undefined : last.includes('power save enabled');
}

export function wifiFault(found: readonly Wifi[]): Fault | undefined {
  const saving = found.filter(({ powerSave }) => powerSave);
  if (saving.length === 0) return undefined;
  const names = saving.flatMap((each) => each.interface ?? []).join(', ');
  return new Fault(
    'wifi_power_save',
    `Wi-Fi saves power${names === '' ? '' : ` (${names})`}: each packet may wait 100 ms, which looks like a network that is too slow.`,
    'Put powersave=2 under [wifi] in the configuration file of the network (docs/flash.md; on Raspberry Pi OS: docs/debian.md), and restart.',
  );
}
