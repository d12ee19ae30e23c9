/** Reads one layer of settings (a file, a message, a form) into entries, and lists what it does not know. */
import { HIDDEN, problem, showName, type Problem } from './problem.js';
import { emptyReading, type Reading } from './reading.js';
import { streamSecrets, urlSecrets } from './redact.js';
import { isLenient, restrict, type Remote } from './remote.js';
import type { Row } from './row.js';
import { isOutputRow, OUTPUT_NAME, rows } from './settings.js';
import { nearest } from './spelling.js';

/** Settings as a tree, from whoever gives them. `null` removes what lower layers say there. */
export interface Layer {
  /** For people: a file's name, or such as `MQTT group`. */
  readonly name: string;
  readonly values: unknown;
  /** Why there are no values to be had (a file that cannot be read or parsed), in a clause without secrets. */
  readonly unreadable?: string;
  /** For a remote layer: what it must keep to. */
  readonly remote?: Remote;
}

/** Reads a tree. Whatever it holds, nothing is thrown and no prototype is touched: values go into a list, not an object. */
export function readTree(layer: Layer, table: readonly Row[] = rows): Reading {
  const reader = new TreeReader(layer, table);
  reader.read();
  return layer.remote ? restrict(reader.reading, layer.remote, layer.name) : reader.reading;
}

/** More texts under wrong names than this are not misplaced keys. */
const HIDDEN_MAX = 8;
const KEY_MAX = 256;
/** A file with more unknown names is some other file: guessing what each might mean helps nobody, and takes seconds. */
const GUESSES_MAX = 100;
/** In place of a path, when the whole layer is wrong. */
const WHOLE = '(everything)';

class TreeReader {
  readonly reading = emptyReading();
  /** Section names, each with its rows by field. */
  readonly #sections = new Map<string, Map<string, Row>>();
  readonly #outputFields = new Map<string, Row>();
  #guesses = 0;

  constructor(
    readonly layer: Layer,
    readonly table: readonly Row[],
  ) {
    for (const row of table) {
      const [section = '', field = '', outputField = ''] = row.path.split('.');
      if (isOutputRow(row)) this.#outputFields.set(outputField, row);
      else this.#sections.set(section, (this.#sections.get(section) ?? new Map<string, Row>()).set(field, row));
    }
  }

  read(): void {
    const { unreadable } = this.layer;
    if (unreadable !== undefined) {
      this.reading.broken.push('');
      this.#problem(WHOLE, 'settings_unreadable', unreadable, 'a readable YAML file');
      return;
    }
    const root = this.#map('', this.layer.values, 'a map of sections');
    for (const [name, value] of root) {
      const fields = this.#sections.get(name);
      if (name === 'outputs') this.#readOutputs(value);
      else if (fields) this.#readSection(name, value, fields);
      else this.#old([], name, value);
    }
  }

  #readSection(section: string, values: unknown, fields: ReadonlyMap<string, Row>): void {
    for (const [field, value] of this.#map(section, values, `a map of ${[...fields.keys()].join(', ')}`)) {
      const row = fields.get(field);
      if (row) this.#step(row.path, value);
      else this.#old([section], field, value);
    }
  }

  #readOutputs(values: unknown): void {
    for (const [name, value] of this.#map('outputs', values, 'a map of outputs by name')) {
      const at = `outputs.${showName(name)}`;
      // `constructor` is the one name that fits and that every object already has.
      if (!OUTPUT_NAME.test(name) || name === 'constructor') {
        this.#hide(value);
        if (this.layer.remote?.kept) {
          this.reading.ignored.push(at);
          continue;
        }
        const rule = 'a lower-case letter, then at most 31 lower-case letters, digits or _';
        this.#problem(at, 'setting_range', 'this cannot be the name of an output', rule);
        continue;
      }
      for (const [field, item] of this.#map(at, value, `a map of ${[...this.#outputFields.keys()].join(', ')}`)) {
        const row = this.#outputFields.get(field);
        if (row) this.#step(`${at}.${field}`, item);
        else this.#unknown(['outputs', name], field, item);
      }
    }
  }

  #step(path: string, value: unknown): void {
    const { name: layer } = this.layer;
    if (value === null) this.reading.steps.push({ remove: path });
    else if (value !== undefined) this.reading.steps.push({ path, value, layer, name: path });
  }

  /** The entries of a map; `null` removes what is below, and anything but a map is a problem. */
  #map(path: string, value: unknown, allowed: string): [string, unknown][] {
    if (value === undefined) return [];
    if (value === null) {
      if (path !== '') this.reading.steps.push({ remove: path });
      return [];
    }
    if (typeof value === 'object' && !Array.isArray(value)) return Object.entries(value);
    this.#hide(value);
    if (this.layer.remote?.kept) {
      this.reading.ignored.push(path === '' ? WHOLE : path);
      return [];
    }
    this.reading.broken.push(path);
    this.#problem(path === '' ? WHOLE : path, 'setting_type', 'not a map', allowed);
    return [];
  }

  /** A name that no setting has now: a former one that a row knows, or an unknown one. */
  #old(parents: readonly string[], name: string, value: unknown): void {
    const path = [...parents, name].join('.');
    for (const row of this.table) {
      const renamed = row.renamed?.find((former) => former.path === path);
      if (renamed) {
        const now = row.path.replace('*', renamed.output ?? '*');
        this.reading.warnings.push(`${path} in ${this.layer.name} is an old name: write ${now}.`);
        const read = renamed.read && value !== null ? renamed.read(value) : value;
        // The new name wins wherever in the file it stands, so the old one goes first.
        const later = this.reading.steps.splice(0);
        this.#step(now, read);
        this.reading.steps.push(...later);
        return;
      }
      const removed = row.removed?.find((former) => former.path === path);
      if (removed && isLenient(this.layer.remote)) {
        this.reading.ignored.push(path);
        return;
      }
      if (removed) {
        this.#problem(path, 'setting_removed', 'no longer exists', removed.remedy);
        return;
      }
    }
    this.#unknown(parents, name, value);
  }

  #unknown(parents: readonly string[], name: string, value: unknown): void {
    this.#hide(value);
    if (isLenient(this.layer.remote)) {
      this.reading.ignored.push([...parents, showName(name)].join('.'));
      return;
    }
    const [section] = parents;
    const fields = section === 'outputs' ? this.#outputFields : this.#sections.get(section ?? '');
    const siblings = [...(fields ?? this.#sections).keys(), ...(fields ? [] : ['outputs'])];
    const meant = this.#guesses++ < GUESSES_MAX ? this.#meant(parents, name, siblings) : undefined;
    const what = `unknown setting${meant === undefined ? '' : `, did you mean ${meant}?`}`;
    this.#problem([...parents, showName(name)].join('.'), 'setting_unknown', what, siblings.join(', '));
  }

  /** Within its section first; then as any setting's field, path or environment variable. */
  #meant(parents: readonly string[], name: string, siblings: readonly string[]): string | undefined {
    const near = nearest(name, siblings);
    return near === undefined ? this.#elsewhere(name) : [...parents, near].join('.');
  }

  #elsewhere(name: string): string | undefined {
    const names = new Map<string, string>();
    for (const row of this.table) {
      const [section = '', field = ''] = row.path.split('.');
      const path = row.path.replace('*', 'main');
      const nested = isOutputRow(row) ? path : `${field} under ${section}:`;
      names.set(path, nested).set(row.env, nested);
      if (row.alias) names.set(row.alias.env, nested);
      if (!isOutputRow(row)) names.set(field, path);
    }
    const found = nearest(name, names.keys());
    return found === undefined ? undefined : names.get(found);
  }

  /** What stands under a wrong name may be a key all the same, so the redactor learns any text that is long enough. */
  #hide(value: unknown): void {
    const texts = typeof value === 'object' && value !== null ? Object.values(value) : [value];
    for (const text of texts.slice(0, HIDDEN_MAX)) {
      if (this.reading.secrets.length >= HIDDEN_MAX) return;
      if (typeof text === 'string' && text.length >= 8 && text.length <= KEY_MAX) this.reading.secrets.push(text);
    }
  }

  #problem(path: string, code: Problem['code'], what: string, allowed: string): void {
    this.reading.problems.push(problem({ path, name: path, layer: this.layer.name }, code, what, HIDDEN, allowed));
  }
}

/** The secrets that a value for this row holds, valid or not; `keyApart`: a URL need not hold the key. */
export function secretsOf(row: Row, value: unknown, keyApart: boolean): string[] {
  if (row.secret && (typeof value === 'string' || typeof value === 'number' || typeof value === 'bigint')) {
    return streamSecrets(String(value));
  }
  if (typeof value !== 'string') return [];
  // A password may have been put before a broker's host, where it is refused.
  if (row.form.type === 'word') return /:\/\/.*@/s.test(value) ? urlSecrets(value, true) : [];
  return row.form.type === 'url' ? urlSecrets(value, keyApart) : [];
}
