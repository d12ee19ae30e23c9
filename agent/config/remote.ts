/** What a remote layer must keep to: no secrets, nothing that is locked, no file outside the data folder. */
import { isAbsolute, join, normalize } from 'node:path/posix';
import type { FaultCode } from '../errors.js';
import { HIDDEN, problem, show } from './problem.js';
import type { Entry, Reading } from './reading.js';
import { misfit, type Row } from './row.js';
import { rowOf } from './settings.js';

export interface Remote {
  /** Where it comes from: a document for a group or for this device, or the page. */
  readonly kind: 'group' | 'page' | 'device';
  /** Paths that only file and environment may set; one means all below it too, `*` any name. */
  readonly locked: readonly string[];
  /** Relative paths in a remote layer start here; no path may lead outside. */
  readonly dataFolder: string;
  /** It was accepted once, perhaps by another release: what does not fit now is set aside. */
  readonly kept?: true;
}

/** Whether what is unknown is set aside: a group may hold devices of several releases. */
export function isLenient(remote: Remote | undefined): boolean {
  return remote?.kind === 'group' || remote?.kept === true;
}

interface Refusal {
  readonly code: FaultCode;
  readonly what: string;
  readonly allowed: string;
}

/** The reading without what a remote layer may not say, which becomes a problem of it, or is set aside where it was kept. */
export function restrict(reading: Reading, remote: Remote, layer: string): Reading {
  const steps: Reading['steps'] = [];
  const problems = [...reading.problems];
  const ignored = [...reading.ignored];
  for (const step of reading.steps) {
    const row = 'path' in step ? rowOf(step.path) : undefined;
    const path = 'path' in step ? step.path : step.remove;
    const value = 'path' in step ? step.value : null;
    const refusal = refuse(path, row ?? rowOf(path), value, remote);
    if (!refusal) {
      steps.push('path' in step && row ? placed(step, row, remote) : step);
    } else if (remote.kept) {
      ignored.push(path);
    } else {
      const given = row && refusal.code !== 'setting_secret' ? show(row, value) : HIDDEN;
      problems.push(problem({ path, name: path, layer }, refusal.code, refusal.what, given, refusal.allowed));
    }
  }
  return { ...reading, steps, problems, ignored };
}

function refuse(path: string, row: Row | undefined, value: unknown, remote: Remote): Refusal | undefined {
  if (isLocked(path, remote.locked)) {
    return { code: 'setting_locked', what: 'this is locked', allowed: 'the settings file or the environment only' };
  }
  // To remove a section means all of its rows.
  const never = row ? row.remote === 'never' : path === 'config' || path === 'mqtt';
  if (never || (row?.remote === 'device' && remote.kind === 'group')) {
    const allowed = never
      ? 'the settings file or the environment only'
      : 'the document of the device, not that of a group';
    return { code: 'setting_local', what: 'this cannot be set from here', allowed };
  }
  if (!row) return undefined;
  const open = remote.kind === 'group' || remote.kind === 'device';
  if (open && isSecret(row, value)) {
    return { code: 'setting_secret', what: 'documents must not contain secrets', allowed: 'the command set-secret' };
  }
  if (remote.kept && value !== null && misfit(row.form, value)) {
    return { code: 'setting_range', what: 'not allowed', allowed: '' };
  }
  if (filesOf(row, value).some((file) => !isBelow(file, remote.dataFolder))) {
    return { code: 'setting_path', what: 'outside the data folder', allowed: `a path below ${remote.dataFolder}` };
  }
  return undefined;
}

/** Whether others could read a secret in this value. */
export function isSecret(row: Row, value: unknown): boolean {
  return row.secret === true || (row.form.type === 'url' && typeof value === 'string' && hasSecret(value));
}

/** User info or a query; the last part of the path is looked at where it is known whether the key stands apart. */
function hasSecret(url: string): boolean {
  return /[@?]/.test(url);
}

function filesOf(row: Row, value: unknown): string[] {
  if (!row.file && row.form.type !== 'paths') return [];
  return [value].flat().filter((file): file is string => typeof file === 'string' && file !== '');
}

function absolute(file: string, folder: string): string {
  return isAbsolute(file) ? normalize(file) : join(folder, file);
}

function isBelow(file: string, folder: string): boolean {
  return absolute(file, folder).startsWith(`${normalize(folder)}/`);
}

/** Files as absolute paths, since relative ones start elsewhere in the settings file. */
function placed(entry: Entry, row: Row, { dataFolder }: Remote): Entry {
  if (filesOf(row, entry.value).length === 0) return entry;
  const place = (file: unknown): unknown =>
    typeof file === 'string' && file !== '' ? absolute(file, dataFolder) : file;
  return { ...entry, value: Array.isArray(entry.value) ? entry.value.map(place) : place(entry.value) };
}

/** Whether only file and environment may set what is at `path`; `locked` as in {@link Remote}. */
export function isLocked(path: string, locked: readonly string[]): boolean {
  return locked.some((pattern) => overlap(pattern, path));
}

/** Whether one of two dotted paths is the other, or is above it. */
function overlap(pattern: string, path: string): boolean {
  const parts = path.split('.');
  return pattern.split('.').every((part, i) => part === '*' || parts[i] === undefined || parts[i] === part);
}
