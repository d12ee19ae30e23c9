/** The faults that are active now, one for each area: logged as they begin, and in the status document until they are over. */
import type { Fault, FaultReport } from '../errors.js';
import type { Log } from '../log.js';

export class ActiveFaults<Area extends string> {
  readonly #known = new Map<Area, FaultReport>();

  constructor(private readonly log: Log) {}

  /** Keeps only the last fault of an area; logs it where it is new. */
  add(area: Area, fault: Fault): void {
    const known = this.#known.get(area);
    this.#known.set(area, fault.report());
    if (known?.code === fault.code && known.what === fault.what) return;
    this.log.error(fault.code, `[${fault.code}] ${fault.message}`, { code: fault.code });
  }

  /** The fault of that area is over. */
  remove(area: Area): void {
    this.#known.delete(area);
  }

  clear(): void {
    this.#known.clear();
  }

  get reports(): FaultReport[] {
    return [...this.#known.values()];
  }
}

/** One line about a fault after which makercast keeps trying. */
export const triedAgain = ({ what, remedy }: FaultReport): string =>
  [what, remedy, 'makercast keeps trying.'].filter((part) => part !== '').join(' ');
