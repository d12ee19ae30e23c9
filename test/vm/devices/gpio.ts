/** A simulated GPIO chip (driver gpio-sim) with the label of a Pi's, and whatever base the kernel gives it. */
import { mkdir, readFile, readdir, rmdir, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { load, unload } from '../guest.js';

const configuration = '/sys/kernel/config/gpio-sim/pi';
/** As many lines as a Pi 3 has. */
const lines = 54;

const text = async (file: string): Promise<string> => (await readFile(file, 'utf8')).trim();

export class GpioChip implements AsyncDisposable {
  readonly label = 'pinctrl-bcm2835';

  private constructor(
    /** Such as `gpiochip0`: its name under /dev. */
    readonly name: string,
    private readonly folder: string,
  ) {}

  static async start(): Promise<GpioChip> {
    await load('gpio-sim');
    const bank = path.join(configuration, 'bank0');
    await mkdir(bank, { recursive: true });
    await writeFile(path.join(bank, 'num_lines'), String(lines));
    await writeFile(path.join(bank, 'label'), 'pinctrl-bcm2835');
    await writeFile(path.join(configuration, 'live'), '1');
    const name = await text(path.join(bank, 'chip_name'));
    return new GpioChip(name, `/sys/devices/platform/${await text(path.join(configuration, 'dev_name'))}/${name}`);
  }

  /** What a button or another circuit does to a line. */
  async pull(line: number, to: 'up' | 'down'): Promise<void> {
    await writeFile(path.join(this.folder, `sim_gpio${line}`, 'pull'), `pull-${to}`);
  }

  /** What a lamp at a line would show. */
  async value(line: number): Promise<number> {
    return Number(await text(path.join(this.folder, `sim_gpio${line}`, 'value')));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await writeFile(path.join(configuration, 'live'), '0');
    await rmdir(path.join(configuration, 'bank0'));
    await rmdir(configuration);
    await unload('gpio-sim');
  }
}

/** Number that the old interface (/sys/class/gpio) gives to the first line of the chip with this label. */
export async function sysfsBase(label: string): Promise<number> {
  const folder = '/sys/class/gpio';
  for (const name of await readdir(folder)) {
    if (!name.startsWith('gpiochip')) continue;
    if ((await text(path.join(folder, name, 'label'))) === label)
      return Number(await text(path.join(folder, name, 'base')));
  }
  throw new Error(`no GPIO chip is called ${label}`);
}
