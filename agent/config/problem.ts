/** One thing that is wrong with the settings, in words that never hold a secret. */
import type { FaultCode } from '../errors.js';
import { URL_MAX, type Row } from './row.js';
import { redactUrl } from './redact.js';

export interface Problem {
  /** Dotted path of the setting, such as `video.fps`. */
  readonly path: string;
  readonly code: FaultCode;
  /** What was given, or `(hidden)`. */
  readonly given: string;
  /** What fits. */
  readonly allowed: string;
  /** Which layer gave it. */
  readonly layer: string;
  /** All of it in one line: where, what, and what is allowed. */
  readonly message: string;
}

export const HIDDEN = '(hidden)';

/** Where a value came from: the layer, and the name that the operator gave it. */
export interface Origin {
  readonly path: string;
  readonly layer: string;
  /** Environment variable, or the same as `path`. */
  readonly name: string;
}

/** Composes a problem; `what` is a short clause such as `wrong type`. */
export function problem(at: Origin, code: FaultCode, what: string, given: string, allowed: string): Problem {
  const message = `${label(at)}: ${what}; given: ${given}; allowed: ${allowed}`;
  return { path: at.path, code, given, allowed, layer: at.layer, message };
}

/** The setting by the name that the operator used, such as `VIDEO_FPS (video.fps)` or `video.fps in makercast.yml`. */
export function label(at: Origin): string {
  return at.name === at.path ? `${at.path} in ${at.layer}` : `${at.name} (${at.path})`;
}

/** A value for people, on one line; nothing of a secret, and a URL without its secret parts. */
export function show(row: Row, value: unknown): string {
  if (value === '') return '(nothing)';
  if (row.secret) return HIDDEN;
  if (typeof value === 'string' && row.form.type === 'url') {
    return value.length > URL_MAX ? `${value.length} characters` : redactUrl(value);
  }
  switch (typeof value) {
    case 'string':
      // It may be a URL with a password in it.
      if (row.form.type === 'word' && value.includes('@')) return HIDDEN;
      // The beginning of a long text could be part of a key, which the redactor would not recognise.
      return value.length > 80 ? `${value.length} characters` : JSON.stringify(value);
    case 'number':
    case 'boolean':
    case 'bigint':
      return String(value);
    case 'object':
      if (value === null) return '(nothing)';
      return Array.isArray(value) ? `a list of ${value.length}` : 'a map';
    case 'undefined':
      return '(nothing)';
    case 'function':
    case 'symbol':
      return HIDDEN;
  }
}

/** A key of a file for people: only what looks like a name is shown; anything else may be a misplaced value. */
export function showName(name: string): string {
  return /^[A-Za-z_][A-Za-z0-9_.-]{0,63}$/.test(name) ? name : HIDDEN;
}
