/** Probes the machine throughout one run: what one probe has found helps the next, and what could not be found out is reported once. */
import type { Machine } from '../../pipelines/machine.js';
import type { Wish } from '../../pipelines/wanted.js';
import type { Fault } from '../errors.js';
import { ProbeCache } from './probecache.js';
import { machineFor } from './machine.js';
import type { Storage } from './storage/storage.js';

export class Survey {
  /** What the last look could not find out. */
  #unknown: readonly string[] = [];

  /** `report` hears what could not be found out; `look` finds out what a wish needs to be known. */
  constructor(
    private readonly storage: Storage,
    private readonly report: (fault: Fault) => void,
    private readonly cache = new ProbeCache(),
    private readonly look = machineFor,
  ) {}

  /** Looks again; `failed` are nodes of cameras that could not be used since the last look. Throws a Fault where that cannot be done. */
  async gather(wish: Wish, failed: Iterable<string>): Promise<Machine> {
    const faults: Fault[] = [];
    for (const node of failed) this.cache.doubt(node);
    const machine = await this.look(wish, this.storage, (fault) => faults.push(fault), { cache: this.cache });
    for (const fault of faults) if (!this.#unknown.includes(fault.message)) this.report(fault);
    this.#unknown = faults.map(({ message }) => message);
    return machine;
  }

  /** Whether any of the media files at `paths` is another one than at the last look. */
  filesChanged(paths: readonly string[]): Promise<boolean> {
    return this.cache.files.haveChanged(paths);
  }
}
