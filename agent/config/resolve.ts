/** Merges the layers, validates the whole, and always comes to settings that work, with a list of what is wrong. */
import { Fault, type FaultCode } from '../errors.js';
import { parseDestination } from './destination.js';
import { ENVIRONMENT, nameOfToday, readEnvironment, type Environment } from './environment.js';
import { readTree, type Layer } from './layer.js';
import { build, entrySecrets, merge } from './merge.js';
import { HIDDEN, label, problem, show, type Origin, type Problem } from './problem.js';
import type { Entry, Reading } from './reading.js';
import { destinationSecrets, formsOf, Redactor } from './redact.js';
import { allowed, forOutput, settled, type Form, type Row } from './row.js';
import { get, isOutputRow, outputName, OUTPUTS_MAX, rowOf, rows, type Settings } from './settings.js';
import { validate } from './validate.js';

export type { Problem } from './problem.js';
export type { Layer } from './layer.js';

export interface Resolved {
  readonly settings: Settings;
  /** Everything that is wrong, at once. */
  readonly problems: Problem[];
  /** What works and should be looked at all the same; one line each. */
  readonly warnings: string[];
  /** The layer that gave each setting, by path: `default`, `last good`, the file's name, `environment`, … */
  readonly origin: Record<string, string>;
  /** What a layer says that this release does not know, or not so. */
  readonly ignored: { readonly layer: string; readonly path: string }[];
  /** Every secret that any layer holds, valid or not, for the redactor. */
  readonly secrets: string[];
}

/** Origin of what nobody gives. */
export const DEFAULT = 'default';
const LAST_GOOD = 'last good';

export interface Layers {
  /** `values` is the parsed file. */
  readonly file?: Layer | undefined;
  readonly env: Environment;
  /** Layers above the environment, lowest first; of a secret for an output that none of the others names, nothing is taken. */
  readonly later?: readonly Layer[];
  /** What an invalid setting falls back to, before its default; may be of another release, or broken. */
  readonly lastGood?: Settings | undefined;
}

/** Resolves the settings. Never throws on what a layer holds. */
export function resolve(input: Layers): Resolved {
  const later = (input.later ?? []).map((layer) => ({ layer, reading: readTree(layer) }));
  const readings = withoutStrays(
    [
      ...(input.file ? [readTree(input.file)] : []),
      readEnvironment(input.env),
      ...later.filter(({ layer }) => layer.remote?.kind !== 'secret').map(({ reading }) => reading),
    ],
    later.filter(({ layer }) => layer.remote?.kind === 'secret').map(({ reading }) => reading),
  );
  const ignored = later.flatMap(({ layer, reading }) => reading.ignored.map((path) => ({ layer: layer.name, path })));
  const open = later.filter(({ layer }) => layer.remote?.kind === 'group' || layer.remote?.kind === 'device');
  // They may come from a state file of another release, so they pass as a layer of their own before they are relied on.
  const { lastGood } = input;
  const good =
    lastGood === undefined ? undefined : resolve({ file: { name: LAST_GOOD, values: lastGood }, env: {} }).settings;
  const openLayers = new Set(open.map(({ layer }) => layer.name));
  return { ...new Resolution(readings, good, openLayers).result(), ignored };
}

/** A secret may come before the output that it is for. */
function withoutStrays(readings: readonly Reading[], secrets: readonly Reading[]): Reading[] {
  const named = new Set([...merge(readings).keys()].filter((path) => path.startsWith('outputs.')).map(outputName));
  const belongs = (path: string): boolean => !path.startsWith('outputs.') || named.has(outputName(path));
  const fitting = secrets.map((reading) => ({
    ...reading,
    steps: reading.steps.filter((step) => 'path' in step && belongs(step.path)),
    secrets: [...reading.secrets, ...entrySecrets([reading])],
  }));
  return [...readings, ...fitting];
}

/** The settings where nobody says anything. */
export function defaults(): Settings {
  return resolve({ env: {} }).settings;
}

class Resolution {
  readonly #problems: Problem[];
  readonly #warnings: string[];
  readonly #secrets: string[];
  readonly #entries: Map<string, Entry>;
  readonly #broken: readonly string[];
  readonly #values = new Map<string, unknown>();
  readonly #origin = new Map<string, string>();

  constructor(
    readonly readings: readonly Reading[],
    readonly lastGood: Settings | undefined,
    /** Names of the layers that others may read: documents on a broker. */
    readonly open: ReadonlySet<string>,
  ) {
    this.#problems = readings.flatMap((reading) => reading.problems);
    this.#warnings = readings.flatMap((reading) => reading.warnings);
    this.#secrets = [...readings.flatMap((reading) => reading.secrets), ...entrySecrets(readings)];
    this.#entries = merge(readings);
    this.#broken = readings.flatMap((reading) => reading.broken);
  }

  result(): Omit<Resolved, 'ignored'> {
    const outputs = this.#outputNames();
    const table = rows.flatMap((row) => (isOutputRow(row) ? outputs.map((name) => forOutput(row, name)) : [row]));
    const given = new Map([...this.#entries].map(([path, entry]) => [path, entry.value]));
    const faults = validate(table, given);
    for (const row of table) this.#settle(row, faults.get(row.path));
    for (const name of outputs) this.#settleOutput(name, faults);
    this.#settleFiles();
    const settings = build(this.#values);
    for (const output of Object.values(settings.outputs)) {
      this.#secrets.push(...destinationSecrets(output.url, output.key));
    }
    return this.#redacted(settings);
  }

  #outputNames(): string[] {
    const given = [...this.#entries.keys()].filter((path) => path.startsWith('outputs.')).map(outputName);
    const lost = Object.keys(this.lastGood?.outputs ?? {}).filter((name) => this.#unknown(`outputs.${name}`));
    const all = [...new Set([...given, ...lost])];
    for (const name of all.slice(OUTPUTS_MAX)) {
      const at = this.#originOf(`outputs.${name}`);
      this.#report(at, 'setting_range', 'too many outputs', `${all.length} outputs`, `at most ${OUTPUTS_MAX}`);
    }
    return all.slice(0, OUTPUTS_MAX);
  }

  /** Takes a row's value if it fits, else what it falls back to. */
  #settle(row: Row, code: FaultCode | undefined): void {
    const entry = this.#entries.get(row.path);
    if (!entry) {
      this.#fallBack(row, this.#unknown(row.path));
    } else if (code === undefined) {
      this.#set(row.path, settled(row.form, entry.value), entry.layer);
    } else {
      const what = code === 'setting_type' ? 'wrong type' : RANGE_WORDS[row.form.type];
      this.#report(entry, code, what, show(row, entry.value), allowed(row));
      this.#fallBack(row, true);
    }
  }

  /** Whether a layer is so broken that what it says of this setting cannot be known. */
  #unknown(path: string): boolean {
    return this.#broken.some((broken) => broken === '' || path === broken || path.startsWith(`${broken}.`));
  }

  #fallBack(row: Row, faulty: boolean): void {
    const last = this.lastGood && faulty ? get(this.lastGood, row.path) : undefined;
    this.#set(row.path, last ?? row.default, last === undefined ? DEFAULT : LAST_GOOD);
  }

  /** URL and key of an output only make sense together: both stand, or both fall back, or the output is left out. */
  #settleOutput(name: string, faults: ReadonlyMap<string, FaultCode>): void {
    const [urlPath, keyPath] = [`outputs.${name}.url`, `outputs.${name}.key`];
    const [url, key] = [String(this.#values.get(urlPath)), String(this.#values.get(keyPath))];
    if (!faults.has(urlPath) && !faults.has(keyPath)) {
      if (url === '' && this.#values.get(`outputs.${name}.enabled`) === false) {
        this.#warnings.push(`outputs.${name} is off and has no URL: it is left out.`);
        this.#drop(name);
        return;
      }
      const fault = this.#tryDestination(name, url, key);
      if (!fault) {
        this.#advise(name, url, key);
        return;
      }
    }
    const last = this.lastGood?.outputs[name];
    if (last) {
      this.#set(urlPath, last.url, LAST_GOOD);
      this.#set(keyPath, last.key, LAST_GOOD);
    } else {
      this.#drop(name);
    }
  }

  #tryDestination(name: string, url: string, key: string): boolean {
    const urlAt = this.#originOf(`outputs.${name}.url`);
    const urlRule =
      'rtmp://host/application or rtmps://host/application, with the key apart or as the last part of the URL';
    if (url === '') {
      this.#report(urlAt, 'setting_url', 'this output has no URL', '(nothing)', urlRule);
      return true;
    }
    if (key === '' && this.open.has(urlAt.layer)) {
      const rule = 'the URL up to the application, and the stream key by the command set-secret';
      this.#report(urlAt, 'setting_secret', 'without a key apart the URL would have to hold it', HIDDEN, rule);
      return true;
    }
    try {
      parseDestination(url, key);
      return false;
    } catch (thrown) {
      const { code, what } = Fault.from(thrown);
      const row = rowOf(urlAt.path);
      this.#report(urlAt, code, what, row ? show(row, url) : HIDDEN, urlRule);
      return true;
    }
  }

  /** Warns of what is allowed and rarely meant. */
  #advise(name: string, url: string, key: string): void {
    const at = this.#originOf(`outputs.${name}.key`);
    if (key !== key.trim()) this.#warnings.push(`${label(at)} begins or ends with white space, and is sent so.`);
    const urlAt = this.#originOf(`outputs.${name}.url`);
    if (parseDestination(url, key).application.includes('@')) {
      this.#warnings.push(`${label(urlAt)} has an @ in its path: in a password, / is written %2F and @ is %40.`);
    }
    // A new URL over an old key would show the key of one server to another.
    if (key !== '' && this.#height(`outputs.${name}.url`) > this.#height(`outputs.${name}.key`)) {
      this.#warnings.push(
        `${label(urlAt)} is combined with the key that ${this.#origin.get(at.path)} gives: check that they belong together.`,
      );
    }
  }

  /** How high the layer is that gives a setting; -1 if none does. */
  #height(path: string): number {
    const entry = this.#entries.get(path);
    return entry ? this.readings.findIndex((reading) => reading.steps.includes(entry)) : -1;
  }

  /** A source `file` without files has nothing to play. */
  #settleFiles(): void {
    const files = this.#values.get('video.files') as readonly string[];
    const source = this.#values.get('video.source');
    const entry = this.#entries.get('video.files');
    if (source === 'file' && files.length === 0) {
      // An invalid list has been reported already.
      if (!this.#problems.some((item) => item.path === 'video.files')) {
        const at = entry ?? { path: 'video.files', name: 'VIDEO_FILES', layer: DEFAULT };
        this.#report(at, 'setting_range', 'video.source is file, but there is none', '(nothing)', 'at least one path');
      }
      const last = this.lastGood?.video;
      this.#set('video.source', last?.source ?? 'auto', last ? LAST_GOOD : DEFAULT);
      this.#set('video.files', last?.files ?? [], last ? LAST_GOOD : DEFAULT);
    } else if (source !== 'file' && entry && files.length > 0) {
      this.#warnings.push(`${label(entry)} is not used, because video.source is not "file".`);
    }
  }

  /** Where something of an output came from; what nobody gave is called as whoever gave the rest of it would. */
  #originOf(path: string): Origin {
    const entry = this.#entries.get(path);
    if (entry) return entry;
    const output = `outputs.${outputName(path)}.`;
    const sibling = [...this.#entries.values()].find((item) => item.path.startsWith(output));
    const row = rowOf(path);
    const layer = sibling?.layer ?? DEFAULT;
    return { path, layer, name: row && layer === ENVIRONMENT ? nameOfToday(row, path) : path };
  }

  #report(at: Origin, code: FaultCode, what: string, given: string, rule: string): void {
    this.#problems.push(problem(at, code, what, given, rule));
  }

  #set(path: string, value: unknown, layer: string): void {
    this.#values.set(path, value);
    this.#origin.set(path, layer);
  }

  #drop(name: string): void {
    for (const path of [...this.#values.keys()]) {
      if (!path.startsWith(`outputs.${name}.`)) continue;
      this.#values.delete(path);
      this.#origin.delete(path);
    }
  }

  /** A key that was pasted into the wrong setting would be quoted there, so what was given passes the redactor. */
  #redacted(settings: Settings): Omit<Resolved, 'ignored'> {
    const secrets = [...new Set(this.#secrets)];
    const redactor = new Redactor();
    // What is longer than all that is quoted stands in none of it, and takes long to look for; a form of it may be shorter.
    const longest = Math.max(...this.#problems.map(({ given }) => (given === HIDDEN ? 0 : given.length)));
    redactor.add([...formsOf(secrets)].filter((form) => form.length <= longest));
    const clean = (item: Problem): Problem => {
      const given = item.given === HIDDEN ? HIDDEN : redactor.redact(item.given);
      return { ...item, given, message: item.message.replace(`given: ${item.given};`, () => `given: ${given};`) };
    };
    const warnings = [...new Set(this.#warnings)];
    return {
      settings,
      problems: this.#problems.map(clean),
      warnings,
      origin: Object.fromEntries(this.#origin),
      secrets,
    };
  }
}

const RANGE_WORDS: Readonly<Record<Form['type'], string>> = {
  integer: 'out of range',
  number: 'out of range',
  boolean: 'not allowed',
  choice: 'no such choice',
  text: 'not allowed',
  word: 'not allowed',
  words: 'not allowed',
  hours: 'no hours of the day',
  zone: 'no such time zone',
  paths: 'not allowed',
  url: 'not allowed',
  key: 'not allowed',
};
