/** Which number the old GPIO interface (/sys/class/gpio) has for a line of this board: since kernel 6.6 they no longer begin at 0. */
import path from 'node:path';
import { Fault } from '../../errors.js';
import { namesIn, textOf } from '../../machine/host/sysfs.js';

/** Labels of the chips that the header of a Pi hangs on: up to the 3 and the Zero 2 W, the 4, the 5. */
const piChips: readonly string[] = ['pinctrl-bcm2835', 'pinctrl-bcm2711', 'pinctrl-rp1'];

interface Chip {
  readonly label: string;
  /** Number of its first line. */
  readonly base: number;
  /** How many lines it has. */
  readonly count: number;
}

/** `line`: as the processor counts (BCM). Throws `gpio_unavailable`. */
export async function lineNumber(line: number, root = '/'): Promise<number> {
  const chips = await chipsOf(root);
  // On other boards it is clear only where there is no choice.
  const chip = chips.find(({ label }) => piChips.includes(label)) ?? (chips.length === 1 ? chips[0] : undefined);
  if (!chip) {
    const seen = chips.map(({ label }) => label).join(', ');
    const [what, remedy] =
      chips.length === 0
        ? ['There are no GPIO lines in /sys/class/gpio.', 'In a container, set privileged: true.']
        : [`None of the GPIO chips here is a Raspberry Pi's (${seen}).`, 'Set gpio.button and gpio.led to off.'];
    throw new Fault('gpio_unavailable', what, remedy);
  }
  if (line < chip.count) return chip.base + line;
  throw new Fault(
    'gpio_unavailable',
    `There is no GPIO ${line}: ${chip.label} has 0 to ${chip.count - 1}.`,
    'Set gpio.button and gpio.led to the number of the processor (BCM), not to the pin of the header.',
  );
}

async function chipsOf(root: string): Promise<Chip[]> {
  const folder = path.join(root, 'sys/class/gpio');
  const names = (await namesIn(folder)).filter((name) => name.startsWith('gpiochip')).sort();
  const chips = names.map(async (name): Promise<Chip> => {
    const text = async (file: string): Promise<string> => (await textOf(path.join(folder, name, file))) ?? '';
    const [label, base, count] = await Promise.all([text('label'), text('base'), text('ngpio')]);
    return { label, base: Number(base), count: Number(count) };
  });
  return (await Promise.all(chips)).filter(({ count }) => count > 0);
}
