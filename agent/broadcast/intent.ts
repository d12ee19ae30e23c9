/** Whether the broadcast is to be on the air: what was commanded last, kept over restarts of the agent and of the machine. */
import { Fault } from '../errors.js';
import { withDeadline } from '../machine/files/reads.js';
import type { Storage } from '../machine/storage/storage.js';

export type Wanted = 'on' | 'idle';

/** A card takes less than this, or hangs; whoever has pressed a button does not wait for it. */
const patienceMs = 1000;

const name = 'broadcast';
const format = 1;
const isState = (value: unknown): value is { wanted: Wanted } => {
  const wanted = (value as { wanted?: unknown } | null)?.wanted;
  return wanted === 'on' || wanted === 'idle';
};

export class Intent {
  constructor(private readonly storage: Storage) {}

  /** On the air where nothing was ever commanded, or where it cannot be read: dark by mistake is the worse of the two. */
  async load(): Promise<Wanted> {
    return (await this.storage.readState(name, format, isState))?.wanted ?? 'on';
  }

  /**
   * On the card once this has resolved, or on its way there after 1 s. Writes only what is new. What goes wrong is reported, and the
   * command holds until the end.
   */
  async keep(wanted: Wanted): Promise<void> {
    await withDeadline(this.storage.writeState(name, format, { wanted }), patienceMs, () => this.#late());
  }

  #late(): false {
    const what = `Writing to the data folder ${this.storage.folder} takes more than 1 s.`;
    const remedy = 'Check the card: if the power fails now, the last start or stop command may be forgotten.';
    this.storage.report(new Fault('state_unwritable', what, remedy));
    return false;
  }
}
