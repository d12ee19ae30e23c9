/** What people paste into URL and key of an output: corrected with a warning where only one thing can be meant. Pure. */
import { label } from './problem.js';
import type { Entry, Reading } from './reading.js';
import { rowOf } from './settings.js';

/** The reading of one layer, corrected. `isText`: its values come as text, as those of the environment. */
export function correct(reading: Reading, isText: boolean): Reading {
  const warnings = [...reading.warnings];
  const steps = reading.steps.map((step) => ('path' in step ? trimmed(step, isText, warnings) : step));
  const at = new Map(steps.flatMap((step) => ('path' in step ? [[step.path, step] as const] : [])));
  const paired = steps.map((step) => ('path' in step ? apart(step, at, warnings) : step));
  return { ...reading, steps: paired, warnings };
}

/** Removes the quotes that docker's `--env-file` leaves around a value, and spaces and line breaks around a URL. */
function trimmed(entry: Entry, isText: boolean, warnings: string[]): Entry {
  const form = rowOf(entry.path)?.form.type;
  const isOutput = entry.path.startsWith('outputs.');
  if (!isOutput || (form !== 'url' && form !== 'key') || typeof entry.value !== 'string') return entry;
  let { value } = entry;
  const quoted = isText ? /^\s*(['"])(.+)\1\s*$/s.exec(value)?.[2] : undefined;
  if (quoted !== undefined) {
    value = quoted;
    warnings.push(`${label(entry)} is in quotes, which were removed: write it without them.`);
  }
  if (form === 'url' && value !== value.trim()) {
    value = value.trim();
    warnings.push(`${label(entry)} has spaces or line breaks around it, which were removed.`);
  }
  return value === entry.value ? entry : { ...entry, value };
}

/** A shorter one may be the name of an instance: `rtmp://host/customer/live` with the key `live`. */
const shortestKey = 8;

/** The key belongs in one place: where it is a URL that begins like the one beside it, or the URL ends with it, it was given twice by mistake. */
function apart(entry: Entry, at: ReadonlyMap<string, Entry>, warnings: string[]): Entry {
  const [, output, field] = /^outputs\.([^.]+)\.(url|key)$/.exec(entry.path) ?? [];
  if (output === undefined) return entry;
  const [url, key] = ['url', 'key'].map((name) => at.get(`outputs.${output}.${name}`)?.value);
  if (typeof url !== 'string' || typeof key !== 'string' || key === '') return entry;
  const base = url.replace(/\/+$/, '');
  if (field === 'key' && key.startsWith(`${base}/`) && key.length > base.length + 1) {
    warnings.push(`${label(entry)} is a whole URL: the part after the address is used as the key.`);
    return { ...entry, value: key.slice(base.length + 1) };
  }
  // With an application in between, or the key would be the application.
  if (
    field === 'url' &&
    key.length >= shortestKey &&
    base.endsWith(`/${key}`) &&
    /^[a-z]+:\/\/[^/]+\/[^/]/i.test(base.slice(0, -key.length - 1))
  ) {
    warnings.push(`${label(entry)} ends with the key, which is also set separately: it is used once.`);
    return { ...entry, value: base.slice(0, -key.length - 1) };
  }
  return entry;
}
