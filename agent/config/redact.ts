/** Takes secrets out of text: those that are known, in every spelling, and those that any RTMP URL may hold. */
import { TEXT_MAX } from './row.js';
import type { OutputSettings, Settings } from './settings.js';

/** What stands in the place of a secret. */
const MASK = '***';

/** Below this length a secret is replaced only where it is the whole text: each "a" masked would leave no message. */
const SHORTEST = 3;
/** Parts of a secret (a value in a query) count as secrets of their own from this length; shorter ones are words. */
const PART_SHORTEST = 8;
/** With a key apart, the last path segment still counts from this length: `_definst_` is none, a pasted key is. */
const SEGMENT_SHORTEST = 12;
/** So many characters of secrets that are in no setting: each takes some 4 kB of memory, and a Zero W milliseconds. */
const PASSING_MAX = 512;

/** Every secret of one output: its key, and what its URL holds. */
export function destinationSecrets(url: string, key: string): string[] {
  return [...streamSecrets(key), ...urlSecrets(url, key !== '')];
}

/** What is secret in a URL: user info, query, and the last path segment, unless the key stands apart. */
export function urlSecrets(url: string, keyApart: boolean): string[] {
  const secrets: string[] = [];
  const [, rest] = /^[A-Za-z][A-Za-z0-9+.-]*:\/\/(.*)$/s.exec(url) ?? [];
  // Not a URL at all: most likely a key in the wrong place.
  if (rest === undefined) return streamSecrets(url);
  const slash = rest.search(/\/|$/);
  const inPlace = rest.slice(0, slash).lastIndexOf('@');
  // An `@` further on may end a password that holds an unencoded slash: then all up to it is hidden too.
  const at = inPlace < 0 ? rest.lastIndexOf('@') : inPlace;
  if (at >= 0) {
    const user = rest.slice(0, at);
    const colon = user.indexOf(':');
    secrets.push(user, colon < 0 ? user : user.slice(colon + 1));
  }
  const path = rest.slice(slash + 1);
  const question = path.search(/\?|$/);
  const segments = path.slice(0, question).split('/').filter(Boolean);
  const segment = segments.length > 1 ? (segments.at(-1) ?? '') : '';
  const last = !keyApart || segment.length >= SEGMENT_SHORTEST ? segment : '';
  return [...secrets, ...streamSecrets(`${last}${path.slice(question)}`)].filter((secret) => secret !== '');
}

/** A stream name (a key) with its parts: what stands before the query, the query, and long values in it. */
export function streamSecrets(stream: string): string[] {
  const question = stream.search(/\?|$/);
  const query = stream.slice(question + 1);
  const values = query.split('&').map((pair) => pair.slice(pair.indexOf('=') + 1));
  const parts = [stream, stream.slice(0, question), query, ...values.filter((value) => value.length >= PART_SHORTEST)];
  return parts.filter((part) => part !== '');
}

/**
 * A URL that is safe to print: `scheme://host[:port]/application/***`. User info, the last path segment (the only one
 * is an application, and stays) and the query are gone. Where it is unclear what is what, all after the scheme is.
 */
export function redactUrl(url: string): string {
  const [, scheme, authority = '', path = '', query = ''] =
    /^([A-Za-z][A-Za-z0-9+.-]{0,15}:\/\/)([^/]*)([^?]*)(.*)$/s.exec(url) ?? [];
  if (scheme === undefined) return '(hidden)';
  if (authority === '' && path === '') return url;
  const host = authority.slice(authority.lastIndexOf('@') + 1);
  const clear = /^([\p{L}\p{N}._-]+|\[[0-9A-Fa-f:.]+(%[\w.-]+)?\])(:\d{1,5})?$/u.test(host);
  if (!clear || /[@\s\p{Cc}]/u.test(path)) return scheme + MASK;
  const segments = path.replace(/\/+$/, '').split('/').slice(1);
  if (segments.length < 2) return scheme + host + path + (query === '' ? '' : `?${MASK}`);
  return `${scheme}${host}/${segments.slice(0, -1).join('/')}/${MASK}`;
}

/** A copy of the settings without their secrets, for status, log and pages. */
export function redactSettings(settings: Settings): Settings {
  const hide = ([name, output]: [string, OutputSettings]): [string, OutputSettings] => [
    name,
    { ...output, url: redactUrl(output.url), key: output.key === '' ? '' : MASK },
  ];
  const password = settings.mqtt.password === '' ? '' : MASK;
  return {
    ...settings,
    outputs: Object.fromEntries(Object.entries(settings.outputs).map(hide)),
    mqtt: { ...settings.mqtt, password },
  };
}

/** Knows secrets and takes them out of any text. Those of settings are only ever added: an old key stays one. */
export class Redactor {
  readonly #patterns = new Map<string, RegExp>();
  /** Of `#patterns`, those that may be forgotten; oldest first. */
  readonly #passing = new Set<string>();
  readonly #harmless = new Set<string>();

  add(secrets: Iterable<string>): void {
    for (const form of formsOf(secrets)) {
      this.#passing.delete(form);
      if (!this.#patterns.has(form)) this.#patterns.set(form, pattern(form));
    }
    this.#sort();
  }

  /**
   * Of a document that may be refused, and then is in no setting: the oldest of these are forgotten, since who may write documents could
   * otherwise fill the memory with them.
   */
  addPassing(secrets: Iterable<string>): void {
    const forms = [...formsOf(secrets)].filter((form) => !this.#patterns.has(form));
    for (const form of forms) this.#passing.add(form);
    let room = PASSING_MAX;
    for (const form of [...this.#passing].reverse()) {
      room -= form.length;
      if (room < 0) {
        this.#passing.delete(form);
        this.#patterns.delete(form);
      } else if (!this.#patterns.has(form)) {
        this.#patterns.set(form, pattern(form));
      }
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
    for (const regexp of this.#patterns.values()) text = text.replace(regexp, MASK);
    return text.replace(/\brtmps?:\/\/[^\s"'<>]*[^\s"'<>;,]/gi, (url) =>
      this.#harmless.has(url) ? url : redactUrl(url),
    );
  }

  /** A URL that holds no secret, though it looks as if: the demonstration server's. */
  allow(url: string): void {
    this.#harmless.add(url);
  }
}

/** All that is looked for: each secret as it is, and in what may be left of it. */
function* formsOf(secrets: Iterable<string>): Iterable<string> {
  for (const whole of secrets) {
    // No setting takes more, and a regular expression of 20,000 characters cannot be compiled.
    const secret = whole.slice(0, TEXT_MAX);
    for (const form of [secret, secret.trim(), decoded(secret), ...lines(secret)]) if (form !== '') yield form;
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
  const source = (secret.match(/\\+|./gsu) ?? []).map(spellings).join('');
  return secret.length < SHORTEST ? new RegExp(`^${source}$`, 'gu') : new RegExp(source, 'gu');
}

function spellings(character: string): string {
  // A run of backslashes is one unit: each spelled "one to four of them" would divide a run in exponentially many ways.
  if (character.startsWith('\\')) {
    const count = character.length;
    return `(?:\\\\{${count},${4 * count}}|(?:%(?:25)*5[cC]|\\\\{1,4}(?:134|x5[cC]|u005[cC])){${count}})`;
  }
  const bytes = [...new TextEncoder().encode(character)];
  const units = character.split('').map((unit) => unit.charCodeAt(0));
  const hex = (value: number, width: number): string =>
    value
      .toString(16)
      .padStart(width, '0')
      .replace(/[a-f]/g, (digit) => `[${digit}${digit.toUpperCase()}]`);
  const short = SHORT_ESCAPES[character];
  const all = [
    /[\p{L}\p{N}]/u.test(character) ? character : `\\\\{0,4}${literal(character)}`,
    bytes.map((byte) => `%(?:25)*${hex(byte, 2)}`).join(''),
    bytes.map((byte) => `\\\\{1,4}${byte.toString(8).padStart(3, '0')}`).join(''),
    bytes.map((byte) => `\\\\{1,4}x${hex(byte, 2)}`).join(''),
    units.map((unit) => `\\\\{1,4}u${hex(unit, 4)}`).join(''),
    ...(short === undefined ? [] : [`\\\\{1,4}${short}`]),
    ...(character === ' ' ? ['\\+'] : []),
  ];
  return `(?:${all.join('|')})`;
}

function literal(character: string): string {
  return /[\^$\\.*+?()[\]{}|/]/.test(character) ? `\\${character}` : character;
}
