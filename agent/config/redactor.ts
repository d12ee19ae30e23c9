/** Takes secrets out of text: those that are known, in every spelling, and those that any RTMP URL may hold. */
import { MASK, redactUrl } from './redact.js';
import { TEXT_MAX } from './row.js';

/** Below this length a secret is replaced only where it is the whole text: each "a" masked would leave no message. */
const SHORTEST = 3;
/** A secret is looked for in pieces of so many characters: some 4000 are more than the stack allows to compile. */
const PATTERN_MAX = 1024;
/** So many characters of secrets that are in no setting: each takes some 4 kB of memory, and a Zero W milliseconds. */
const PASSING_MAX = 512;

/** A session that is ending closes within seconds, and a child that hangs is killed within half a minute. */
const inFlightMs = 60_000;
/** So many characters of secrets that were in force, however fast they change. */
const LEAVING_MAX = 8192;

/**
 * Knows secrets and removes them from any text. A secret that is no longer in force is kept for as long as something may still quote it:
 * a session that is ending, a line of a child.
 */
export class Redactor {
  readonly #patterns = new Map<string, RegExp>();
  /** Of `#patterns`, those of the settings in force. */
  #current: ReadonlySet<string> = new Set();
  /** Of `#patterns`, those that were in force, with the time at which they were last; oldest first. */
  readonly #leaving = new Map<string, number>();
  /** Of `#patterns`, those of documents that may be refused; oldest first. */
  readonly #passing = new Set<string>();
  /** Of `#patterns`, those that stay for ever. */
  readonly #lasting = new Set<string>();
  readonly #harmless = new Set<string>();

  /** `now`: ms, of a steady clock; without one nothing is forgotten because time has passed. */
  constructor(private readonly now: () => number = () => 0) {}

  /** Secrets that do not come from settings: they stay. */
  add(secrets: Iterable<string>): void {
    for (const form of formsOf(secrets)) {
      this.#lasting.add(form);
      this.#learn(form);
    }
    this.#sort();
  }

  /** All secrets of the settings in force; those that were before are forgotten soon. */
  inForce(secrets: Iterable<string>): void {
    const next = new Set(formsOf(secrets));
    for (const form of next) this.#learn(form);
    this.#leave([...this.#current].filter((form) => !next.has(form)));
    this.#current = next;
    this.#sort();
  }

  /** Secrets of settings that may never come into force. */
  leaving(secrets: Iterable<string>): void {
    const forms = [...new Set(formsOf(secrets))].filter((form) => !this.#current.has(form));
    for (const form of forms) this.#learn(form);
    this.#leave(forms);
    this.#sort();
  }

  #learn(form: string): void {
    this.#passing.delete(form);
    this.#leaving.delete(form);
    if (!this.#patterns.has(form)) this.#patterns.set(form, pattern(form));
  }

  #leave(forms: readonly string[]): void {
    for (const form of forms) this.#leaving.set(form, this.now());
    let room = LEAVING_MAX;
    for (const form of [...this.#leaving.keys()].reverse()) {
      room -= form.length;
      if (room < 0) this.#forget(form);
    }
  }

  #forget(form: string): void {
    this.#leaving.delete(form);
    this.#passing.delete(form);
    if (!this.#lasting.has(form)) this.#patterns.delete(form);
  }

  /** Forgets what nothing can quote any more. */
  #prune(): void {
    const now = this.now();
    for (const [form, at] of this.#leaving) {
      if (now - at < inFlightMs) return;
      this.#forget(form);
    }
  }

  /**
   * Of a document that may be refused, and then is in no setting: the oldest of these are forgotten, since who may write documents could
   * otherwise fill the memory with them.
   */
  addPassing(secrets: Iterable<string>): void {
    const forms = [...formsOf(secrets)].filter((form) => this.#passing.has(form) || !this.#patterns.has(form));
    for (const form of forms) this.#passing.add(form);
    let room = PASSING_MAX;
    for (const form of [...this.#passing].reverse()) {
      room -= form.length;
      if (room < 0) this.#forget(form);
      else if (!this.#patterns.has(form)) this.#patterns.set(form, pattern(form));
    }
    this.#sort();
  }

  /** Longest first, so that a secret goes whole before one that is part of it. */
  #sort(): void {
    const sorted = [...this.#patterns].sort(([a], [b]) => b.length - a.length);
    this.#patterns.clear();
    for (const [form, regexp] of sorted) this.#patterns.set(form, regexp);
  }

  /** The text with each secret, however escaped, and the secret parts of RTMP URLs replaced by `***`. */
  redact(text: string): string {
    this.#prune();
    for (const regexp of this.#patterns.values()) text = text.replace(regexp, MASK);
    return text.replace(/\brtmps?:\/\/[^\s"'<>]*[^\s"'<>;,]/gi, (url) =>
      this.#harmless.has(url) ? url : redactUrl(url),
    );
  }

  /** A URL that holds no secret, though it looks as if it did: the demonstration server's. */
  allow(url: string): void {
    this.#harmless.add(url);
  }
}

/** All that is looked for: each secret as it is, and in what may be left of it. */
export function* formsOf(secrets: Iterable<string>): Iterable<string> {
  for (const whole of secrets) {
    const secret = whole.slice(0, TEXT_MAX);
    for (const form of [secret, secret.trim(), decoded(secret), ...lines(secret)]) {
      // Of equal length: a short rest would count as a word.
      const characters = [...form];
      const size = Math.ceil(characters.length / Math.ceil(characters.length / PATTERN_MAX));
      for (let at = 0; at < characters.length; at += size) yield characters.slice(at, at + size).join('');
    }
  }
}

/** Output of a child is redacted line by line, so each line of a secret is one too. */
function lines(secret: string): string[] {
  const parts = secret.split(/[\r\n]+/);
  return parts.length > 1 ? parts.filter((part) => part.length >= SHORTEST) : [];
}

function decoded(secret: string): string {
  try {
    return decodeURIComponent(secret);
  } catch {
    return secret;
  }
}

const SHORT_ESCAPES: Readonly<Record<string, string>> = {
  '\n': 'n',
  '\r': 'r',
  '\t': 't',
  '\b': 'b',
  '\f': 'f',
  '\v': 'v',
};

/**
 * Matches a secret with each character in any spelling it may have taken: as it is, after a backslash (JSON, C, shell,
 * and GStreamer, which puts one before all but letters, digits and `_-+/:.`), percent-encoded once or more, in octal or
 * hexadecimal bytes (GStreamer, C), as `\u` code (JSON), or `+` for a space. Character by character, because each
 * encoder has its own set of characters that it leaves alone.
 */
function pattern(secret: string): RegExp {
  const units = secret.match(/\\+[^\\]?|[^\\]/gsu) ?? [];
  const source = units.map((unit) => spellings(...split(unit))).join('');
  return secret.length < SHORTEST ? new RegExp(`^${source}$`, 'gu') : new RegExp(source, 'gu');
}

/** How many backslashes a unit begins with, and the character after them, if there is one. */
function split(unit: string): [run: number, character: string] {
  const run = unit.search(/[^\\]|$/);
  return [run, unit.slice(run)];
}

/**
 * A run of backslashes and the character after it are one unit: as two, or with "one to four" for each of a run, the backslashes of a
 * text could be divided among them in ways that multiply from unit to unit, and a text that matches but for its end would take for ever.
 */
function spellings(run: number, character: string): string {
  if (run === 0) return `(?:${[...escaped(character, 0), ...direct(character)].join('|')})`;
  const plain = `\\\\{${run},${4 * run}}`;
  const coded = `(?:%(?:25)*5[cC]|\\\\{1,4}(?:134|x5[cC]|u005[cC])){${run}}`;
  if (character === '') return `(?:${plain}|${coded})`;
  const afterPlain = direct(character).map((each) => plain + each);
  return `(?:${[...afterPlain, ...escaped(character, run), coded + spellings(0, character)].join('|')})`;
}

const hexadecimal = (value: number, width: number): string =>
  value
    .toString(16)
    .padStart(width, '0')
    .replace(/[a-f]/g, (digit) => `[${digit}${digit.toUpperCase()}]`);

const bytesOf = (character: string): number[] => [...new TextEncoder().encode(character)];

/** Spellings that hold no backslash. */
function direct(character: string): string[] {
  const percent = bytesOf(character)
    .map((byte) => `%(?:25)*${hexadecimal(byte, 2)}`)
    .join('');
  return [percent, ...(character === ' ' ? ['\\+'] : [])];
}

/** Spellings that may begin with backslashes, with those of a run of so many before them. */
function escaped(character: string, run: number): string[] {
  const slashes = (least: number): string => `\\\\{${run + least},${4 * run + 4}}`;
  const each = (values: readonly number[], code: (value: number) => string): string =>
    values.map((value, index) => (index === 0 ? slashes(1) : '\\\\{1,4}') + code(value)).join('');
  const units = character.split('').map((unit) => unit.charCodeAt(0));
  const short = SHORT_ESCAPES[character];
  const itself = /[\p{L}\p{N}]/u.test(character) && run === 0 ? character : `${slashes(0)}${literal(character)}`;
  return [
    itself,
    each(bytesOf(character), (byte) => byte.toString(8).padStart(3, '0')),
    each(bytesOf(character), (byte) => `x${hexadecimal(byte, 2)}`),
    each(units, (unit) => `u${hexadecimal(unit, 4)}`),
    ...(short === undefined ? [] : [`${slashes(1)}${short}`]),
  ];
}

function literal(character: string): string {
  return /[\^$\\.*+?()[\]{}|/]/.test(character) ? `\\${character}` : character;
}
