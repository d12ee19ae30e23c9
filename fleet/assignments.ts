/** `KEY=VALUE` as balena variables: each is one of our settings, and all of them are valid, before anything is written. */
import { currentName, settingOf } from '../agent/config/environment.js';
import { show } from '../agent/config/problem.js';
import { secretsOf } from '../agent/config/layer.js';
import { resolve } from '../agent/config/resolve.js';
import { fromText, type Row } from '../agent/config/row.js';
import { isOutputRow, OUTPUT_NAME, rows } from '../agent/config/settings.js';
import { nearest } from '../agent/config/spelling.js';

/** One setting as somebody gave it. */
export interface Given {
  /** Variable (`VIDEO_FPS`) or path (`video.fps`). */
  readonly name: string;
  readonly text: string;
  /** It stood in the command line, where everybody on this machine can read it. */
  readonly open: boolean;
}

export interface Assignment {
  /** The variable that is written. */
  readonly name: string;
  readonly path: string;
  readonly text: string;
  /** The value for people, without secrets. */
  readonly shown: string;
}

export interface Assignments {
  readonly assignments: readonly Assignment[];
  /** What is wrong, one line each; nothing may be written then. */
  readonly problems: readonly string[];
  readonly warnings: readonly string[];
  readonly secrets: readonly string[];
}

interface Setting {
  readonly row: Row;
  readonly path: string;
}

/** The setting of a variable or path, or the reason why there is none. */
export function settingNamed(name: string): Setting | string {
  const given = settingOf(name);
  if (given?.old) return `${shownName(name)} is an old name: set ${currentName(given.row, given.path)} instead.`;
  const found = given ?? settingAt(name);
  if (found) return { row: found.row, path: found.path };
  const names = rows.flatMap((row) => [row.env, row.path, ...(row.alias ? [row.alias.env] : [])]);
  const meant = nearest(name, names);
  return `${shownName(name)} is not a setting. ${meant === undefined ? 'docs/settings.md lists them.' : `Did you mean ${meant}?`}`;
}

/** Only what looks like a variable or a path is repeated: it may be a key that was pasted into the wrong place. */
const shownName = (name: string): string =>
  /^([A-Z][A-Z0-9_]{0,63}|[a-z]\w{0,31}(\.\w{1,32}){1,2})$/.test(name) ? name : 'The given name';

function settingAt(path: string): Setting | undefined {
  const [section, output = '', field] = path.split('.');
  if (section !== 'outputs') {
    const row = rows.find((candidate) => candidate.path === path);
    return row && { row, path };
  }
  if (!OUTPUT_NAME.test(output) || output === 'constructor') return undefined;
  const row = rows.find((candidate) => isOutputRow(candidate) && candidate.path === `outputs.*.${field}`);
  return row && path === row.path.replace('*', output) ? { row, path } : undefined;
}

/** `one`: they are for one device. */
export function readAssignments(given: readonly Given[], one: boolean): Assignments {
  const problems: string[] = [];
  const secrets: string[] = [];
  const byPath = new Map<string, Assignment>();
  for (const { name, text, open } of given) {
    const setting = settingNamed(name);
    if (typeof setting === 'string') {
      // It may be a key under a misspelled name.
      if (text.length >= 8) secrets.push(text);
      problems.push(setting);
      continue;
    }
    const { row, path } = setting;
    // A variable stays as it is written: on a device OUTPUT_MAIN_URL wins over STREAM_URL.
    const variable = name === path ? currentName(row, path) : name;
    // A URL with a key in it is one as well.
    const hidden = secretsOf(row, text, false);
    secrets.push(...hidden);
    if (hidden.length > 0 && open)
      problems.push(
        `${variable} holds a secret, and everybody on this machine can read the command line. ${elsewhere(variable)}`,
      );
    else if (text === '')
      problems.push(`${variable} has no value: to remove a variable, use the dashboard or "balena env rm".`);
    else if (byPath.has(path)) problems.push(`${variable} is given twice.`);
    else if (path === 'mqtt.id' && !one)
      problems.push(
        `${variable} is the name of a single device: devices that share it cannot be controlled. ${oneDevice}`,
      );
    byPath.set(path, { name: variable, path, text, shown: show(row, fromText(row.form, text)) });
  }
  const assignments = [...byPath.values()].filter(({ text }) => text !== '');
  const resolved = resolve({ env: { ...standIns(assignments), ...environment(assignments) } });
  const ours = new Set(assignments.map(({ path }) => path));
  return {
    assignments,
    problems: [...problems, ...resolved.problems.filter(({ path }) => ours.has(path)).map(({ message }) => message)],
    warnings: resolved.warnings,
    secrets,
  };
}

const oneDevice = 'Set it for each device separately, with --device.';

const elsewhere = (variable: string): string =>
  `Write ${variable} without a value, and it is taken from the environment or asked for; or use --values FILE.`;

const environment = (assignments: readonly Assignment[]): Record<string, string> =>
  Object.fromEntries(assignments.map(({ name, text }) => [name, text]));

/**
 * What belongs to a given setting and may stand on the devices already: a URL without its key is not wrong here, nor the
 * other way round. Nobody but the device knows all layers, and it refuses what is wrong together.
 */
function standIns(assignments: readonly Assignment[]): Record<string, string> {
  const given = new Set(assignments.map(({ path }) => path));
  const missing = new Map<string, [string, string]>();
  for (const { path, text } of assignments) {
    const [section, output = ''] = path.split('.');
    if (section === 'outputs') {
      const capitals = output.toUpperCase();
      missing.set(`outputs.${output}.url`, [`OUTPUT_${capitals}_URL`, 'rtmp://server/application']);
      missing.set(`outputs.${output}.key`, [`OUTPUT_${capitals}_KEY`, 'key']);
    }
    if (path === 'video.source' && text === 'file') missing.set('video.files', ['VIDEO_FILES', 'file']);
    if (path === 'video.files') missing.set('video.source', ['VIDEO_SOURCE', 'file']);
  }
  return Object.fromEntries([...missing].filter(([path]) => !given.has(path)).map(([, pair]) => pair));
}
