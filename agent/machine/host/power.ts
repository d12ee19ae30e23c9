/** What the firmware of a Raspberry Pi says about its power supply and temperature. Two small files, cheap enough to read every few seconds. */
import path from 'node:path';
import { namesIn, textOf } from './sysfs.js';

/** What slows the board down, or may let it crash, at this moment or a moment ago. */
export interface Strain {
  /** The supply fell below 4.63 V. */
  readonly underVoltage: boolean;
  /** Its clocks are lowered, for whatever reason; absent where the kernel does not tell. */
  readonly throttled?: boolean;
  /** It is so hot that its clocks are lowered (60 °C on a 3B+, 80 °C elsewhere); absent where the kernel does not tell. */
  readonly hot?: boolean;
}

/** Bits of `get_throttled` (raspberrypi.com, documentation of vcgencmd): what is so now. */
const now = { underVoltage: 0x1, capped: 0x2, throttled: 0x4, hot: 0x8 } as const;
const throttledFile = 'sys/devices/platform/soc/soc:firmware/get_throttled';

/**
 * Undefined on machines that tell nothing of it. The voltage comes from the driver raspberrypi-hwmon, which every kernel for a Pi has
 * and which looks every 2 s itself; the rest only from kernels of Raspberry Pi, which call their file deprecated.
 */
export async function strain(root = '/'): Promise<Strain | undefined> {
  const [alarm, text] = await Promise.all([voltageAlarm(root), throttledWord(root)]);
  const bits = text !== undefined && /^[0-9a-f]{1,8}$/i.test(text) ? parseInt(text, 16) : undefined;
  if (alarm === undefined && bits === undefined) return undefined;
  const is = (bit: number): boolean => ((bits ?? 0) & bit) !== 0;
  return {
    underVoltage: alarm === true || is(now.underVoltage),
    ...(bits !== undefined && { throttled: is(now.throttled) || is(now.capped), hot: is(now.hot) }),
  };
}

/** As the firmware says it, in hexadecimal: what is so now in the bits from 0 on, what was since the board started in those from 16 on. */
export const throttledWord = (root = '/'): Promise<string | undefined> => textOf(path.join(root, throttledFile));

/** hwmon devices are numbered as they come: by their name. */
async function voltageAlarm(root: string): Promise<boolean | undefined> {
  const folder = path.join(root, 'sys/class/hwmon');
  for (const name of await namesIn(folder)) {
    if ((await textOf(path.join(folder, name, 'name'))) !== 'rpi_volt') continue;
    const alarm = await textOf(path.join(folder, name, 'in0_lcrit_alarm'));
    if (alarm !== undefined) return alarm === '1';
  }
  return undefined;
}
