/** The data folder, and small states in it that survive power cuts: each a JSON file with a format number. */
import { mkdir, open, readFile, rename, rm } from 'node:fs/promises';
import { homedir } from 'node:os';
import path from 'node:path';
import { Fault } from '../../errors.js';

/** MAKERCAST_DATA, else the volume that balena keeps (/data), else the place for a user's state (XDG base directory specification). */
export function dataFolder(env: NodeJS.ProcessEnv = process.env): string {
  if (env['MAKERCAST_DATA']) return path.resolve(env['MAKERCAST_DATA']);
  if (env['BALENA'] === '1') return '/data';
  return path.join(env['XDG_STATE_HOME'] || path.join(homedir(), '.local/state'), 'makercast');
}

/** How many corrupt files of one name are kept for inspection. */
const keptBad = 5;

export class Storage {
  /** What each file is known to hold. */
  readonly #known = new Map<string, string>();
  /** Writes of one name go one after the other. */
  readonly #queue = new Map<string, Promise<unknown>>();

  /**
   * `report` hears of everything that goes wrong; nothing here is ever fatal. `mayWrite` false: for a look at what another program keeps there,
   * which may even be another user's. What is spoilt stays in its place then, and what would be written is not.
   */
  constructor(
    readonly folder: string,
    readonly report: (fault: Fault) => void,
    private readonly mayWrite = true,
  ) {}

  /**
   * The state `name` of the given format; undefined where there is none. One that is torn, of another format, or refused
   * by `valid` is renamed aside and reported as `state_set_aside`: the caller starts afresh.
   */
  async readState<T>(name: string, format: number, valid: (value: unknown) => value is T): Promise<T | undefined> {
    const file = this.#file(name);
    let text: string;
    try {
      text = await readFile(file, 'utf8');
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ENOENT') this.#unusable(error, 'read');
      return undefined;
    }
    const state = parse(text);
    const why = !state
      ? 'is truncated or corrupt'
      : state.format !== format
        ? `has format ${state.format}, not ${format}`
        : undefined;
    if (state && why === undefined && valid(state.value)) {
      this.#known.set(name, text);
      return state.value;
    }
    if (this.mayWrite) await this.#setAside(file, why ?? 'has unexpected content');
    return undefined;
  }

  /**
   * Replaces the state whole: after a power cut it is the old one or the new one. Writes nothing where nothing changed,
   * which spares the card. False where it could not be written (reported as `state_unwritable`).
   */
  writeState(name: string, format: number, value: unknown): Promise<boolean> {
    if (!this.mayWrite) return Promise.resolve(true);
    const text = `${JSON.stringify({ format, value }, null, 1)}\n`;
    const turn = (this.#queue.get(name) ?? Promise.resolve()).then(() => this.#write(name, text));
    this.#queue.set(name, turn);
    return turn;
  }

  async #write(name: string, text: string): Promise<boolean> {
    const file = this.#file(name);
    try {
      if (this.#known.get(name) === text) return true;
      await mkdir(this.folder, { recursive: true, mode: 0o700 });
      const temporary = `${file}.new`;
      await rm(temporary, { force: true });
      const handle = await open(temporary, 'wx', 0o600);
      try {
        await handle.writeFile(text);
        await handle.sync();
      } finally {
        await handle.close();
      }
      await rename(temporary, file);
      // The rename is on the card only once the folder is.
      const folder = await open(this.folder, 'r');
      await folder.sync().finally(() => folder.close());
      this.#known.set(name, text);
      return true;
    } catch (error) {
      this.#unusable(error, 'written');
      return false;
    }
  }

  #file(name: string): string {
    return path.join(this.folder, `${name}.json`);
  }

  async #setAside(file: string, why: string): Promise<void> {
    try {
      let bad = `${file}.bad-${keptBad}`;
      for (let i = 1; i < keptBad; i++) {
        if (await exists(`${file}.bad-${i}`)) continue;
        bad = `${file}.bad-${i}`;
        break;
      }
      await rename(file, bad);
      const what = `${path.basename(file)} ${why} and was set aside as ${path.basename(bad)}.`;
      this.report(new Fault('state_set_aside', what, 'Nothing has to be done; its content is lost.'));
    } catch (error) {
      this.#unusable(error, 'renamed');
    }
  }

  #unusable(error: unknown, done: string): void {
    const { code = 'unknown error' } = error as NodeJS.ErrnoException;
    const what = `A file in the data folder ${this.folder} cannot be ${done} (${code}).`;
    this.report(
      new Fault(
        'state_unwritable',
        what,
        'Free space there and make it writable for this user, or name another folder in MAKERCAST_DATA.',
      ),
    );
  }
}

function parse(text: string): { format: unknown; value: unknown } | undefined {
  try {
    const state: unknown = JSON.parse(text);
    return typeof state === 'object' && state !== null && 'format' in state && 'value' in state ? state : undefined;
  } catch {
    return undefined;
  }
}

async function exists(file: string): Promise<boolean> {
  try {
    await (await open(file, 'r')).close();
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code !== 'ENOENT';
  }
}
