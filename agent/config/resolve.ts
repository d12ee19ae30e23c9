/** Merges the layers, validates the whole, and always comes to settings that work, with a list of what is wrong. */
import { Fault, type FaultCode } from '../errors.js';
import { parseDestination } from './destination.js';
import { correct } from './correct.js';
import { ENVIRONMENT, currentName, readEnvironment, type Environment } from './environment.js';
import { staysAt, withheld, type Destination, type Destinations } from './held.js';
import { readTree, type Layer } from './layer.js';
import { build, entrySecrets, merge } from './merge.js';
import { boundTo, covers, outputPlace, placeFor, type Place } from './place.js';
import { HIDDEN, label, problem, show, type Origin, type Problem } from './problem.js';
import type { Entry, Reading } from './reading.js';
import { destinationSecrets, redactUrl, streamSecrets } from './redact.js';
import { formsOf, Redactor } from './redactor.js';
import { allowed, forOutput, misfit, normalized, type Form, type Row } from './row.js';
import { Keyring, noSecrets, type Secrets, type Source } from './secrets.js';
import { get, isOutputRow, outputName, OUTPUTS_MAX, rowOf, rows, type Settings } from './settings.js';
import { validate } from './validate.js';

export type { Problem } from './problem.js';
export type { Destinations } from './held.js';
export type { Layer } from './layer.js';

export interface Resolved {
  readonly settings: Settings;
  /** Everything that is wrong, at once. */
  readonly problems: Problem[];
  /** Outputs that no stream key was given for at their address: each stays at the one before, or is left out. */
  readonly held: Problem[];
  /** What works but should be checked by a person; one line each. */
  readonly warnings: string[];
  /** The layer that gave each setting, by path: `default`, `last good`, the file's name, `environment`, … */
  readonly origin: Record<string, string>;
  /** What a layer sets that this release does not know, or not in this form. */
  readonly ignored: { readonly layer: string; readonly path: string }[];
  /** Every secret that any layer holds, valid or not, for the redactor. */
  readonly secrets: string[];
  /** Those that were handed over, and what each of file and environment is for, as it is known now. */
  readonly bound: Secrets;
}

/** Origin of what nobody gives. */
export const DEFAULT = 'default';
const LAST_GOOD = 'last good';
/** Origin of what an output stays with. */
const HELD = 'as it was';

export interface Layers {
  /** `values` is the parsed file. */
  readonly file?: Layer | undefined;
  readonly env: Environment;
  /** Layers above the environment, lowest first. */
  readonly later?: readonly Layer[];
  /** What was handed over, and what is known of the others. */
  readonly secrets?: Secrets;
  /** By which a secret of file and environment is known again; without it, by itself. */
  readonly digest?: (text: string) => string;
  /** Paths that no remote layer may set. */
  readonly locked?: readonly string[];
  /** Where each output stays, by name, while there is no stream key for its new address. */
  readonly inForce?: Destinations;
  /** What an invalid setting falls back to, before its default; may be of another release, or broken. */
  readonly lastGood?: Settings | undefined;
}

/** Resolves the settings. Never throws on what a layer holds. */
export function resolve(input: Layers): Resolved {
  const later = (input.later ?? []).map((layer) => ({ layer, reading: correct(readTree(layer), false) }));
  const sources: Source[] = [
    ...(input.file ? [{ kind: 'file' as const, reading: correct(readTree(input.file), false) }] : []),
    { kind: 'environment', reading: correct(readEnvironment(input.env), true) },
    ...later.map(({ layer, reading }) => ({ kind: layer.remote?.kind ?? ('page' as const), reading })),
  ];
  const ignored = later.flatMap(({ layer, reading }) => reading.ignored.map((path) => ({ layer: layer.name, path })));
  const open = later.filter(({ layer }) => layer.remote !== undefined);
  // They may come from a state file of another release, so they pass as a layer of their own before they are relied on.
  const { lastGood } = input;
  const good =
    lastGood === undefined ? undefined : resolve({ file: { name: LAST_GOOD, values: lastGood }, env: {} }).settings;
  const openLayers = new Set(open.map(({ layer }) => layer.name));
  return { ...new Resolution(sources, good, openLayers, input).result(), ignored };
}

/** The settings where nobody says anything. */
export function defaults(): Settings {
  return resolve({ env: {} }).settings;
}

class Resolution {
  readonly #keyring: Keyring;
  readonly #problems: Problem[];
  readonly #held: Problem[] = [];
  /** Paths of secrets that are there for other places only. */
  readonly #missing = new Set<string>();
  readonly #warnings: string[];
  readonly #secrets: string[];
  readonly #entries: Map<string, Entry>;
  readonly #broken: readonly string[];
  readonly #values = new Map<string, unknown>();
  readonly #origin = new Map<string, string>();

  constructor(
    sources: readonly Source[],
    readonly lastGood: Settings | undefined,
    /** Names of the remote layers, which contain no secrets. */
    readonly open: ReadonlySet<string>,
    private readonly input: Layers,
  ) {
    const readings: readonly Reading[] = sources.map(({ reading }) => reading);
    const secrets = input.secrets ?? noSecrets;
    this.#keyring = new Keyring(sources, secrets, input.locked ?? [], input.digest ?? String);
    const given = Object.values(secrets.given).flatMap((each) => each.map(({ value }) => value));
    this.#problems = readings.flatMap((reading) => reading.problems);
    this.#warnings = readings.flatMap((reading) => reading.warnings);
    this.#secrets = [
      ...readings.flatMap((reading) => reading.secrets),
      ...entrySecrets(readings),
      ...given.flatMap(streamSecrets),
    ];
    this.#entries = merge(readings);
    this.#broken = readings.flatMap((reading) => reading.broken);
  }

  result(): Omit<Resolved, 'ignored'> {
    const outputs = this.#outputNames();
    const table = rows.flatMap((row) => (isOutputRow(row) ? outputs.map((name) => forOutput(row, name)) : [row]));
    const bound = table.filter(({ boundTo: kind }) => kind !== undefined);
    const free = table.filter(({ boundTo: kind }) => kind === undefined);
    const given = new Map([...this.#entries].map(([path, entry]) => [path, entry.value]));
    const faults = validate(free, given);
    for (const row of free) this.#resolveRow(row, faults.get(row.path));
    // Which secret is used hangs on the address in force.
    for (const row of bound) this.#resolveSecret(row, faults);
    for (const name of outputs) this.#resolveOutput(name, faults);
    this.#resolveBroker();
    this.#resolveFiles();
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
  #resolveRow(row: Row, code: FaultCode | undefined): void {
    const entry = this.#entries.get(row.path);
    if (!entry) {
      this.#fallBack(row, this.#unknown(row.path));
    } else if (code === undefined) {
      this.#set(row.path, normalized(row.form, entry.value), entry.layer);
    } else {
      const meant = typeof entry.value === 'string' ? row.meant?.(entry.value) : undefined;
      const words = code === 'setting_type' ? 'wrong type' : RANGE_WORDS[row.form.type];
      const what = meant === undefined ? words : `${words}, did you mean ${meant}?`;
      this.#report(entry, code, what, show(row, entry.value), allowed(row));
      this.#fallBack(row, true);
    }
  }

  /** Whether a layer is so broken that what it says of this setting cannot be known. */
  #unknown(path: string): boolean {
    return this.#broken.some((broken) => broken === '' || path === broken || path.startsWith(`${broken}.`));
  }

  #placeOf(row: Row): Place | undefined {
    return row.boundTo && placeFor(row.path, row.boundTo, (path) => this.#values.get(path));
  }

  /** Where the output of a secret went last. */
  #lastPlaceOf(row: Row): Place | undefined {
    const { inForce = {} } = this.input;
    const name = outputName(row.path);
    const there = row.boundTo === 'output' && Object.hasOwn(inForce, name) ? inForce[name] : undefined;
    return there && outputPlace(there);
  }

  /** Takes the secret that is for the place in force. */
  #resolveSecret(row: Row, faults: Map<string, FaultCode>): void {
    const place = this.#placeOf(row);
    const last = this.#lastPlaceOf(row);
    if (last) this.#keyring.bind(row.path, last);
    const entry = this.#keyring.pick(row.path, place);
    if (entry) this.#entries.set(row.path, entry);
    else this.#entries.delete(row.path);
    const code = entry && misfit(row.form, entry.value);
    if (code) faults.set(row.path, code);
    if (!entry && this.#keyring.has(row.path)) this.#missing.add(row.path);
    this.#resolveRow(row, code);
  }

  #fallBack(row: Row, faulty: boolean): void {
    const last = this.lastGood && faulty && this.#isForHere(row) ? get(this.lastGood, row.path) : undefined;
    this.#set(row.path, last ?? row.default, last === undefined ? DEFAULT : LAST_GOOD);
  }

  /** Whether what was last good may go to the place that is in force: a secret may not, where it was for another. */
  #isForHere(row: Row): boolean {
    const { lastGood } = this;
    const [now, then] = [
      this.#placeOf(row),
      row.boundTo && lastGood && placeFor(row.path, row.boundTo, (path) => get(lastGood, path)),
    ];
    return !now || (then !== undefined && covers(boundTo(then), now));
  }

  /** URL and key of an output only make sense together: both stand, or both fall back, or the output is left out. */
  #resolveOutput(name: string, faults: ReadonlyMap<string, FaultCode>): void {
    const [urlPath, keyPath] = [`outputs.${name}.url`, `outputs.${name}.key`];
    const [url, key] = [String(this.#values.get(urlPath)), String(this.#values.get(keyPath))];
    if (!faults.has(urlPath) && !faults.has(keyPath)) {
      if (url === '' && this.#values.get(`outputs.${name}.enabled`) === false) {
        this.#warnings.push(`outputs.${name} is disabled and has no URL: it is left out.`);
        this.#drop(name);
        return;
      }
      if (url === '' && this.#waitsForUrl(name)) {
        this.#warnings.push(`outputs.${name} has a key but no URL: it is left out until an MQTT document sets one.`);
        this.#drop(name);
        return;
      }
      const entry = this.#entries.get(urlPath);
      const why = withheld(
        { url, key, tlsVerify: this.#values.get(`outputs.${name}.tlsVerify`) !== false },
        { entry, isOpen: entry !== undefined && this.open.has(entry.layer), hasOthers: this.#missing.has(keyPath) },
        this.#keyring,
      );
      if (why !== undefined) return this.#hold(name, url, why);
      const fault = this.#tryDestination(name, url, key);
      if (!fault) {
        this.#advise(name, url, key);
        return;
      }
    }
    this.#stay(name, this.lastGood?.outputs[name], LAST_GOOD);
  }

  /** URL, key and what they were given with, all from `there`; without them the output is left out. */
  #stay(name: string, there: Destination | undefined, origin: string): void {
    if (!there) return this.#drop(name);
    const fields = ['url', 'key', 'tlsVerify'] as const;
    for (const field of fields) this.#set(`outputs.${name}.${field}`, there[field], origin);
  }

  /** The output stays where it was until there is a key for its new address. */
  #hold(name: string, url: string, why: string): void {
    const isOn = this.#values.get(`outputs.${name}.enabled`) !== false;
    const path = `outputs.${name}.key`;
    const { layer } = this.#originOf(`outputs.${name}.url`);
    const stays = staysAt(name, this.input.inForce ?? {}, this.#keyring);
    if (isOn) {
      const until = stays
        ? `the output stays at ${redactUrl(stays.url)} until there is one`
        : 'the output is left out until there is one';
      const remedy = `set-secret with "path": "${path}" and the URL as "for" (docs/mqtt.md), or with URL and key together in the settings file or the environment`;
      const message = `outputs.${name} in ${layer}: ${why}, ${redactUrl(url)}; ${until}. Set it with ${remedy}.`;
      this.#held.push({ path, code: 'output_key_missing', given: HIDDEN, allowed: remedy, layer, message });
    }
    this.#stay(name, stays, HELD);
  }

  /** The broker of file and environment, with what is for it. */
  #stayAtBroker(): void {
    for (const path of ['mqtt.url', 'mqtt.ca', 'mqtt.username', 'mqtt.password']) {
      const row = rowOf(path)!;
      const own = row.boundTo ? this.#keyring.pick(path, this.#placeOf(row)) : this.#keyring.local(path);
      const isGood = own !== undefined && !misfit(row.form, own.value);
      this.#set(path, isGood ? own.value : row.default, isGood ? own.layer : DEFAULT);
    }
  }

  /** User and password of another broker are not shown to this one. */
  #resolveBroker(): void {
    const missing = ['mqtt.username', 'mqtt.password'].filter((path) => this.#missing.has(path));
    // Whatever names another place, or another authority for it.
    const entries = ['mqtt.url', 'mqtt.ca'].flatMap((path) => this.#entries.get(path) ?? []);
    const entry = entries.find((each) => !this.#keyring.isLocal(each));
    if (missing.length === 0 || this.#values.get('mqtt.url') === '') return;
    const verbs =
      missing.length > 1 ? 'were given for another broker, and are' : 'was given for another broker, and is';
    const what = `${missing.join(' and ')} ${verbs} not used for this one`;
    const rule = 'a broker that set-secret has named in "for", or URL, user and password set together';
    if (!entry) {
      this.#warnings.push(`${label(this.#originOf('mqtt.url'))}: ${what}; allowed: ${rule}.`);
    } else {
      this.#report(entry, 'mqtt_credentials_missing', what, show(rowOf(entry.path)!, entry.value), rule);
      this.#stayAtBroker();
    }
  }

  /** A device may have the key, and a document the address. */
  #waitsForUrl(name: string): boolean {
    const given = [...this.#entries.keys()].filter((path) => path.startsWith(`outputs.${name}.`));
    return this.#values.get('mqtt.url') !== '' && given.length > 0 && given.every((path) => path.endsWith('.key'));
  }

  #tryDestination(name: string, url: string, key: string): boolean {
    const urlAt = this.#originOf(`outputs.${name}.url`);
    const urlRule =
      'rtmp://host/application or rtmps://host/application, with the key set separately or as the last part of the URL';
    if (url === '') {
      this.#report(urlAt, 'setting_url', 'this output has no URL', '(nothing)', urlRule);
      return true;
    }
    if (key === '' && this.open.has(urlAt.layer)) {
      const rule = 'the URL up to the application, and the stream key set with the command set-secret';
      this.#report(urlAt, 'setting_secret', 'without a separate key the URL would have to contain it', HIDDEN, rule);
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
    if (/^rtmps?:\/\//i.test(key)) this.#warnings.push(`${label(at)} is a URL, but is sent as the key as it is.`);
    if (key !== key.trim()) this.#warnings.push(`${label(at)} begins or ends with white space, and is sent with it.`);
    const urlAt = this.#originOf(`outputs.${name}.url`);
    if (parseDestination(url, key).application.includes('@')) {
      this.#warnings.push(`${label(urlAt)} has an @ in its path: in a password, write / as %2F and @ as %40.`);
    }
  }

  /** A source `file` without files has nothing to play. */
  #resolveFiles(): void {
    const files = this.#values.get('video.files') as readonly string[];
    const source = this.#values.get('video.source');
    const entry = this.#entries.get('video.files');
    if (source === 'file' && files.length === 0) {
      // An invalid list has been reported already.
      if (!this.#problems.some((item) => item.path === 'video.files')) {
        const at = entry ?? { path: 'video.files', name: 'VIDEO_FILES', layer: DEFAULT };
        this.#report(at, 'setting_range', 'video.source is file, but no file is set', '(nothing)', 'at least one path');
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
    return { path, layer, name: row && layer === ENVIRONMENT ? currentName(row, path) : path };
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
    const longest = this.#problems.reduce((most, { given }) => Math.max(most, given === HIDDEN ? 0 : given.length), 0);
    redactor.add([...formsOf(secrets)].filter((form) => form.length <= longest));
    const clean = (item: Problem): Problem => {
      const given = item.given === HIDDEN ? HIDDEN : redactor.redact(item.given);
      return { ...item, given, message: item.message.replace(`given: ${item.given};`, () => `given: ${given};`) };
    };
    const warnings = [...new Set(this.#warnings)];
    return {
      settings,
      problems: this.#problems.map(clean),
      held: this.#held,
      warnings,
      origin: Object.fromEntries(this.#origin),
      secrets,
      bound: this.#keyring.secrets,
    };
  }
}

const RANGE_WORDS: Readonly<Record<Form['type'], string>> = {
  integer: 'out of range',
  number: 'out of range',
  boolean: 'not allowed',
  choice: 'not one of the choices',
  text: 'not allowed',
  word: 'not allowed',
  words: 'not allowed',
  hours: 'not hours of the day',
  zone: 'unknown time zone',
  paths: 'not allowed',
  url: 'not allowed',
  key: 'not allowed',
};
