/** What strains the board now, and what has since the program started: reported as it begins, and kept for the status document. */
import { Fault } from '../errors.js';
import type { Strain } from '../machine/host/power.js';

export type When = 'now' | 'earlier';
/** What never occurred is left out. */
export type StrainStatus = { readonly [K in keyof Strain]?: When };

const kinds = ['underVoltage', 'hot', 'throttled'] as const;

/** Each with its remedy. */
const faults: Readonly<Record<(typeof kinds)[number], () => Fault>> = {
  underVoltage: () =>
    new Fault(
      'under_voltage',
      'The power supply is too weak: its voltage has fallen below 4.63 V, where the board slows down, loses its USB devices, and may crash.',
      'Use the official supply and a short, thick cable, and connect power-hungry USB devices through a powered hub.',
    ),
  hot: () =>
    new Fault(
      'too_hot',
      'The processor is so hot that it slows down.',
      'Add a heat sink or better ventilation, or lower video.fps, video.width or video.height.',
    ),
  throttled: () =>
    new Fault(
      'throttled',
      'The firmware has lowered the clock speed of the processor.',
      'Check its power supply and its temperature.',
    ),
};

/** A fault for each strain, with its remedy; none where the firmware reports nothing. */
export const strainFaults = (strain: Strain | undefined): Fault[] =>
  kinds.filter((kind) => strain?.[kind]).map((kind) => faults[kind]());

export class BoardStrain {
  #status: StrainStatus = {};

  /** Takes what the firmware reports now; undefined where it reports nothing. Returns what has just begun. */
  look(strain: Strain | undefined): Fault[] {
    const before = this.#status;
    const when = (kind: (typeof kinds)[number]): When | undefined =>
      strain?.[kind] ? 'now' : before[kind] === undefined ? undefined : 'earlier';
    this.#status = Object.fromEntries(kinds.flatMap((kind) => (when(kind) === undefined ? [] : [[kind, when(kind)]])));
    return kinds.filter((kind) => this.#status[kind] === 'now' && before[kind] !== 'now').map((kind) => faults[kind]());
  }

  /** Undefined where nothing ever occurred. */
  get status(): StrainStatus | undefined {
    return Object.keys(this.#status).length > 0 ? this.#status : undefined;
  }
}
