/** One row a setting: its form, default, unit, names and cost; and what a value must be like to fit it. */
import type { FaultCode } from '../errors.js';
import { isZone, parseHours } from './hours.js';
import type { PlaceKind } from './place.js';

/** What a change of a setting takes: nothing seen on the air, a new pipeline, or a new broadcast. Cheapest first. */
export const costs = ['none', 'live', 'rebuild', 'restart'] as const;
export type Cost = (typeof costs)[number];

/** The kind of value, as data, so that validation, JSON schema and documentation are all read from it. */
export type Form =
  | {
      readonly type: 'integer' | 'number';
      readonly min: number;
      readonly max: number;
      readonly even?: true;
      /** Words that stand for a number that somebody else chooses, such as `auto`. */
      readonly words?: readonly string[];
    }
  | { readonly type: 'boolean' }
  | { readonly type: 'choice'; readonly choices: readonly (string | number)[] }
  | {
      readonly type: 'text';
      readonly words: string;
      /** It may also be empty, or hold line breaks. */
      readonly lines?: true;
    }
  /** One text that fits a pattern, or a list of such; the pattern goes into the JSON schema as it is. */
  | { readonly type: 'word' | 'words'; readonly words: string; readonly pattern: RegExp }
  /** Hours of the day, `02:00-04:00`. */
  | { readonly type: 'hours' }
  /** A time zone by its name, `Europe/Berlin`. */
  | { readonly type: 'zone' }
  | { readonly type: 'paths' }
  | { readonly type: 'url' }
  | { readonly type: 'key' };

/** A name that a setting had in an earlier release: an environment variable, or a dotted path in the file. */
export interface OldName {
  readonly env?: string;
  readonly path?: string;
  /** For a row of `outputs`: the output that the old name meant. */
  readonly output?: string;
  /** The value in today's terms; undefined where the old one said nothing. Without it the value means what it meant. */
  readonly read?: (value: unknown) => unknown;
}

/** A name that no longer works, and what to do instead. */
export interface RemovedName {
  readonly env?: string;
  readonly path?: string;
  readonly remedy: string;
}

export interface Row {
  /** Section and field, such as `video.fps`; `*` stands for the name of an output. */
  readonly path: string;
  /** Environment variable; `*` stands for the name of an output in capitals. */
  readonly env: string;
  /** A second, shorter variable, which means the output that it names. */
  readonly alias?: { readonly env: string; readonly output: string };
  readonly form: Form;
  readonly default: string | number | boolean | readonly string[];
  readonly unit?: string;
  /** Never printed, logged or reported. */
  readonly secret?: true;
  /** It is sent only to the place that it was given for: what kind of place that is. */
  readonly boundTo?: PlaceKind;
  /** A file or folder of this machine; so is each of `paths`. */
  readonly file?: true;
  /** Who may set it remotely: nobody, or only a document for this one device. Without it, any layer. */
  readonly remote?: 'never' | 'device';
  /** What was most likely meant by a value that does not fit, if that fits and holds no secret. */
  readonly meant?: (given: string) => string | undefined;
  readonly cost: Exclude<Cost, 'none'>;
  /** What this value has deleted cannot be undone: which of two values deletes less. */
  readonly deletesLess?: 'larger' | 'smaller';
  /** One line for docs/settings.md. */
  readonly doc: string;
  readonly renamed?: readonly OldName[];
  readonly removed?: readonly RemovedName[];
}

/** Longest text that a setting takes; far above any real key, and bounds what a log line or a pattern must bear. */
export const TEXT_MAX = 4096;
/** Longest URL: each part of it is looked for wherever something is let out. */
export const URL_MAX = 2048;
const FILES_MAX = 1000;
export const WORDS_MAX = 64;

/** The row for one output: `*` replaced by its name. Other rows come back as they are. */
export function forOutput(row: Row, name: string): Row {
  return { ...row, path: row.path.replace('*', name), env: row.env.replace('*', name.toUpperCase()) };
}

/** The fault of a value, or undefined if it fits. URLs are looked into by `destination.ts`, which also needs the key. */
export function misfit(form: Form, value: unknown): FaultCode | undefined {
  switch (form.type) {
    case 'integer':
    case 'number':
      if (typeof value === 'string' && form.words?.includes(value)) return undefined;
      if (typeof value !== 'number' || !Number.isFinite(value)) return 'setting_type';
      if (form.type === 'integer' && !Number.isInteger(value)) return 'setting_type';
      if (value < form.min || value > form.max || (form.even && value % 2 !== 0)) return 'setting_range';
      return undefined;
    case 'boolean':
      return typeof value === 'boolean' ? undefined : 'setting_type';
    case 'choice':
      if (form.choices.some((choice) => choice === value)) return undefined;
      return form.choices.some((choice) => typeof choice === typeof value) ? 'setting_range' : 'setting_type';
    case 'text':
      if (typeof value !== 'string') return 'setting_type';
      if (form.lines)
        return value.length > TEXT_MAX || /[^\P{Cc}\n]|\p{Surrogate}/u.test(value) ? 'setting_range' : undefined;
      return value === '' || value.length > TEXT_MAX || /[\p{Cc}\p{Surrogate}]/u.test(value)
        ? 'setting_range'
        : undefined;
    case 'hours':
      if (typeof value !== 'string') return 'setting_type';
      return parseHours(value) ? undefined : 'setting_range';
    case 'zone':
      if (typeof value !== 'string') return 'setting_type';
      return value.length <= TEXT_MAX && isZone(value) ? undefined : 'setting_range';
    case 'paths': {
      const paths: unknown = typeof value === 'string' ? [value] : value;
      if (!Array.isArray(paths) || !paths.every((path) => typeof path === 'string')) return 'setting_type';
      // A NUL would end the path early in every C function that it is handed to.
      const bad = paths.length > FILES_MAX || paths.some((path) => path === '' || unsendable(path));
      return bad || paths.some((path) => path.length > TEXT_MAX) ? 'setting_range' : undefined;
    }
    case 'word':
      if (typeof value !== 'string') return 'setting_type';
      return value.length <= TEXT_MAX && form.pattern.test(value) ? undefined : 'setting_range';
    case 'words': {
      const words: unknown = typeof value === 'string' ? [value] : value;
      if (!Array.isArray(words) || !words.every((word) => typeof word === 'string')) return 'setting_type';
      const fit =
        words.length <= WORDS_MAX && words.every((word) => word.length <= TEXT_MAX && form.pattern.test(word));
      return fit ? undefined : 'setting_range';
    }
    case 'url':
    case 'key':
      if (typeof value !== 'string') return 'setting_type';
      return value.length > (form.type === 'url' ? URL_MAX : TEXT_MAX) || unsendable(value)
        ? 'setting_range'
        : undefined;
  }
}

/** A text that cannot reach a C function or a server unchanged: it holds a NUL, or half of a surrogate pair. */
function unsendable(text: string): boolean {
  return /[\0\p{Surrogate}]/u.test(text);
}

/** A value that fits, as the program holds it: one path or word becomes a list, and minus zero becomes zero. */
export function normalized(form: Form, value: unknown): unknown {
  const list = form.type === 'paths' || form.type === 'words';
  if (list && typeof value === 'string') return [value];
  if (list && Array.isArray(value)) return [...(value as unknown[])];
  return typeof value === 'number' ? value + 0 : value;
}

const TRUE: readonly string[] = ['true', '1', 'yes', 'on'];
const FALSE: readonly string[] = ['false', '0', 'no', 'off'];

/** The text of an environment variable as a value; what cannot be read stays text, and is then refused by `misfit`. */
export function fromText(form: Form, text: string): unknown {
  const word = text.trim();
  switch (form.type) {
    case 'integer':
    case 'number':
      return /^[+-]?(\d+\.?\d*|\.\d+)$/.test(word) ? Number(word) : (form.words?.find((each) => each === word) ?? text);
    case 'boolean':
      if (TRUE.includes(word.toLowerCase())) return true;
      return FALSE.includes(word.toLowerCase()) ? false : text;
    case 'choice':
      return form.choices.find((choice) => String(choice) === word) ?? (/^\d+$/.test(word) ? Number(word) : text);
    case 'paths':
      return pathsFromText(text);
    case 'word':
      return word;
    case 'words':
      return word.split(/[\s,]+/).filter((each) => each !== '');
    case 'hours':
    case 'zone':
      return word;
    case 'text':
    case 'url':
    case 'key':
      return text;
  }
}

/** False only for the words that say no; any other text switches a flag of the 2018 project on. */
export function truthy(value: unknown): boolean {
  return !FALSE.includes(String(value).trim().toLowerCase());
}

function pathsFromText(text: string): unknown {
  if (text.trimStart().startsWith('[')) {
    try {
      return JSON.parse(text) as unknown;
    } catch {
      // A file may be called "[2018] holiday.mp4": what is not JSON is a path.
    }
  }
  return text.split(/\r?\n/).filter((line) => line !== '');
}

/** What fits, in words: for messages and documentation. */
export function allowed(row: Row): string {
  const { form } = row;
  switch (form.type) {
    case 'integer':
    case 'number': {
      const kind = form.type === 'number' ? 'a number' : form.even ? 'an even whole number' : 'a whole number';
      const words = form.words ? `${form.words.join(', ')} or ` : '';
      return `${words}${kind} from ${form.min} to ${form.max}${row.unit === undefined ? '' : ` (${row.unit})`}`;
    }
    case 'boolean':
      return 'true or false';
    case 'choice':
      return `${form.choices.slice(0, -1).join(', ')} or ${form.choices.at(-1)}${row.unit === undefined ? '' : ` (${row.unit})`}`;
    case 'text':
      return form.words;
    case 'word':
    case 'words':
      return form.words;
    case 'hours':
      return 'hours of the day such as 02:00-04:00 or 22:30-04:00';
    case 'zone':
      return 'a time zone such as Europe/Berlin or UTC';
    case 'paths':
      return 'a path, or a list of paths';
    case 'url':
      return `rtmp://host/application or rtmps://host/application, of at most ${URL_MAX} characters`;
    case 'key':
      return `text of at most ${TEXT_MAX} characters (in a file, put digits alone in quotes)`;
  }
}
