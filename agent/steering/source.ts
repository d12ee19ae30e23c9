/** The settings of this run: file and environment read and resolved; edits of the file taken over; the last good ones kept. */
import path from 'node:path';
import type { Redactor } from '../config/redactor.js';
import { resolve as resolveSettings, type Layer, type Layers, type Resolved } from '../config/resolve.js';
import type { Settings } from '../config/settings.js';
import { layerSecrets } from '../config/detection.js';
import { Fault, type FaultReport } from '../errors.js';
import { fingerprint, readSettings, settingsPath, watchSettings } from '../machine/storage/settings-file.js';
import type { Storage } from '../machine/storage/storage.js';

/** A supervisor restarts what ends, for ever: balena does, and whoever says so. */
export const isSupervised = (env: NodeJS.ProcessEnv): boolean =>
  env['BALENA'] === '1' || /^(1|true|yes|on)$/i.test(env['MAKERCAST_SUPERVISED'] ?? '');

export type Loaded = Resolved;

const stateName = 'settings';
const stateFormat = 1;
const isSettings = (value: unknown): value is Settings =>
  typeof value === 'object' && value !== null && 'video' in value;

export class SettingsSource {
  readonly #path: ReturnType<typeof settingsPath>;
  /** Whether the file has set something in this run. */
  #hasSet = false;
  /** The file that was read last. */
  #read: string | undefined;
  /** The file as it was just before it was first read. */
  #seen: string | undefined;

  /** `folder`: where `makercast.yml` is looked for. `redactor` learns what is secret before anything is made of it. */
  constructor(
    private readonly env: NodeJS.ProcessEnv,
    folder: string,
    private readonly storage: Storage,
    private readonly redactor: Pick<Redactor, 'inForce' | 'leaving'>,
  ) {
    this.#path = settingsPath(env, folder);
  }

  /** Under a supervisor an invalid setting falls back to its last good value, else to its default. */
  async load(lastGood?: Settings): Promise<Loaded> {
    const loaded = resolveSettings(await this.layers(lastGood));
    // What was only read is forgotten soon, and a look at the machine may take minutes.
    this.redactor.inForce(loaded.secrets);
    return loaded;
  }

  /** File and environment as they are now. */
  async layers(lastGood?: Settings): Promise<Layers> {
    return { ...(await this.#file(lastGood !== undefined)), env: this.env, ...(lastGood ? { lastGood } : {}) };
  }

  /**
   * The file as a layer, or nothing where there is none and none is needed. That a file has become empty or is missing does not mean that
   * someone wants to go off the air: a full card, an editor, a copy or a power cut may be the cause. `wasSet`: set in an earlier run.
   */
  async #file(wasSet: boolean): Promise<{ file?: Layer }> {
    const { name } = this.#path;
    this.#read = name;
    this.#seen ??= fingerprint(this.#path);
    try {
      const file = await readSettings(this.#path);
      if (file) this.redactor.leaving(layerSecrets(file));
      this.#read = file?.name;
      if (this.#hasSet && !file) throw gone(name, 'is missing');
      if ((this.#hasSet || wasSet) && file?.isBlank) throw gone(name, 'is empty');
      this.#hasSet = Object.keys(file?.values ?? {}).length > 0;
      return file ? { file } : {};
    } catch (error) {
      return { file: { name, values: undefined, unreadable: Fault.from(error).message } };
    }
  }

  /** A sentence for people: which file was read last, or that there was none. */
  get told(): string {
    const { name, other } = this.#path;
    if (this.#read !== undefined) return `The settings file is ${this.#read}.`;
    const places = [name, ...(other === undefined ? [] : [path.basename(other)])].join(' or ');
    return `There is no settings file (${places}).`;
  }

  async lastGood(): Promise<Settings | undefined> {
    const settings = await this.storage.readState(stateName, stateFormat, isSettings);
    if (settings) this.redactor.leaving(layerSecrets({ name: stateName, values: settings }));
    return settings;
  }

  async keep(settings: Settings): Promise<void> {
    await this.storage.writeState(stateName, stateFormat, settings);
  }

  /** Calls `changed` whenever the file was edited, until `signal` aborts. */
  watch(changed: () => void, signal: AbortSignal): void {
    watchSettings(this.#path, changed, signal, this.#seen);
  }
}

/** Everything that is wrong, as the status document shows it. */
export function problemReports({ problems }: Pick<Loaded, 'problems'>): FaultReport[] {
  return problems.map(({ code, message }) => new Fault(code, message).report());
}

/** Outputs that no stream key was given for. */
export function heldReports({ held }: Pick<Loaded, 'held'>): FaultReport[] {
  return held.map(({ code, message }) => new Fault(code, message).report());
}

const gone = (name: string, how: string): Fault =>
  new Fault(
    'settings_unreadable',
    `The settings file ${JSON.stringify(name)} ${how}; its last settings stay in force.`,
    'Put it back, or write {} into it if nothing is to be set any more.',
  );
