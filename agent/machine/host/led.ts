/** The board's own LED, which blinks so that somebody can find one device among many. */
import { writeFile } from 'node:fs/promises';
import path from 'node:path';
import { Fault } from '../../errors.js';
import { textOf } from './sysfs.js';

/** The activity LED as kernels since 5.16 and before call it. */
const names: readonly string[] = ['ACT', 'led0'];

export class Led {
  /** What it showed before it blinked. */
  #usual: string | undefined;
  #timer: NodeJS.Timeout | undefined;

  constructor(private readonly root = '/') {}

  /** Blinks for `ms`, then shows again what it showed before. Resolves once it has begun. Throws a Fault where there is no usable LED. */
  async blink(ms: number): Promise<void> {
    const [file, triggers] = await this.#find();
    // The one in force stands in brackets: `none timer [mmc0] heartbeat`.
    this.#usual ??= /\[(\S+)\]/.exec(triggers)?.[1] ?? 'none';
    await this.#show(file, 'timer');
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => void this.#rest(file), ms);
  }

  /** Shows at once what it showed before. */
  async stop(): Promise<void> {
    if (this.#usual === undefined) return;
    clearTimeout(this.#timer);
    const [file] = await this.#find();
    await this.#rest(file);
  }

  async #rest(file: string): Promise<void> {
    const usual = this.#usual ?? 'none';
    this.#usual = undefined;
    await this.#show(file, usual).catch(() => undefined);
  }

  async #find(): Promise<[file: string, triggers: string]> {
    for (const name of names) {
      const file = path.join(this.root, 'sys/class/leds', name, 'trigger');
      const triggers = await textOf(file);
      if (triggers !== undefined) return [file, triggers];
    }
    throw new Fault('command_failed', 'This machine has no activity LED that could blink.');
  }

  async #show(file: string, trigger: string): Promise<void> {
    try {
      await writeFile(file, trigger);
    } catch (error) {
      const { code = 'unknown error' } = error as NodeJS.ErrnoException;
      throw new Fault(
        'command_failed',
        `The LED cannot be switched (${code}).`,
        'This needs root; in a container /sys must be writable.',
      );
    }
  }
}
