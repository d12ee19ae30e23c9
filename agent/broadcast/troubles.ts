/** What is wrong now, by the area that it is wrong in: said as it begins, and kept for the status document until it is mended. */
import type { Fault, FaultReport } from '../errors.js';
import type { Log } from '../log.js';

export class Troubles<Area extends string> {
  readonly #known = new Map<Area, FaultReport>();

  constructor(private readonly log: Log) {}

  /** Of one area only the last is kept, and only what is news is said. */
  add(area: Area, fault: Fault): void {
    const known = this.#known.get(area);
    this.#known.set(area, fault.report());
    if (known?.code === fault.code && known.what === fault.what) return;
    this.log.error(fault.code, `[${fault.code}] ${fault.message}`, { code: fault.code });
  }

  mended(area: Area): void {
    this.#known.delete(area);
  }

  clear(): void {
    this.#known.clear();
  }

  get reports(): FaultReport[] {
    return [...this.#known.values()];
  }
}

/** One line of a fault that is not the end of it. */
export const triedAgain = ({ what, remedy }: FaultReport): string =>
  [what, remedy, 'It is tried again.'].filter((part) => part !== '').join(' ');
