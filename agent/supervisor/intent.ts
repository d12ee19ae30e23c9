/** Whether the broadcast is to be on the air: what was commanded last, kept over restarts of the agent and of the machine. */
import type { Storage } from '../machine/storage.js';

export type Wanted = 'on' | 'idle';

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

  /** On the card once this has resolved. Writes only what is new. What goes wrong is reported, and the command holds until the end. */
  async keep(wanted: Wanted): Promise<void> {
    await this.storage.writeState(name, format, { wanted });
  }
}
