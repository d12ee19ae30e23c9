/** Reads the settings that environment variables give, under their names of today and of earlier releases. */
import { secretsOf } from './layer.js';
import { HIDDEN, problem } from './problem.js';
import { emptyReading, type Reading } from './reading.js';
import { fromText, type Row } from './row.js';
import { isOutputRow, OUTPUT_NAME, rows } from './settings.js';
import { nearest } from './spelling.js';

export const ENVIRONMENT = 'environment';

/** Variables that are read before there are settings: where the file is, whether a supervisor restarts us, where state is kept. */
export const BOOTSTRAP = ['MAKERCAST_CONFIG', 'MAKERCAST_SUPERVISED', 'MAKERCAST_DATA'] as const;

export type Environment = Readonly<Record<string, string | undefined>>;

interface Given {
  readonly path: string;
  readonly row: Row;
  readonly name: string;
  /** Name of today first, then its short form, then old ones. */
  readonly rank: 0 | 1 | 2;
  readonly value: unknown;
}

/**
 * Reads the variables that are set; an empty one counts as unset. Where two names give one setting, the one of today
 * wins. Variables are shared with every other program, so an unknown one is at most a warning, where it looks like
 * ours misspelled.
 */
export function readEnvironment(env: Environment, table: readonly Row[] = rows): Reading {
  const reading = emptyReading();
  const best = new Map<string, Given>();
  const known = names(table);
  for (const [name, text] of Object.entries(env)) {
    if (text === undefined || text === '') continue;
    const given = find(name, text, table);
    if (given) {
      const other = best.get(given.path);
      const [winner, loser] = !other || given.rank < other.rank ? [given, other] : [other, given];
      best.set(given.path, winner);
      if (!loser) continue;
      // The winner's secrets are collected with all other layers'.
      reading.secrets.push(...secretsOf(loser.row, loser.value, false));
      if (loser.rank === 2 || loser.value !== winner.value) {
        reading.warnings.push(`${loser.name} is ignored, because ${winner.name} sets ${given.path} too.`);
      }
    } else {
      unknown(name, text, table, known, reading);
    }
  }
  for (const { path, row, name, rank, value } of best.values()) {
    if (rank === 2) reading.warnings.push(`${name} is an old name: set ${currentName(row, path)} instead.`);
    if (value !== undefined) reading.steps.push({ path, value, layer: ENVIRONMENT, name });
  }
  return reading;
}

/** The current variable of the setting at `path`: the short one where there is one. */
export function currentName(row: Row, path: string): string {
  const output = path.split('.')[1] ?? '';
  return row.alias?.output === output ? row.alias.env : row.env.replace('*', output.toUpperCase());
}

/** The setting that a variable of this name gives; `old` where the name is one of an earlier release. */
export function settingOf(
  name: string,
  table: readonly Row[] = rows,
): { row: Row; path: string; old: boolean } | undefined {
  const given = find(name, '', table);
  return given && { row: given.row, path: given.path, old: given.rank === 2 };
}

function find(name: string, text: string, table: readonly Row[]): Given | undefined {
  for (const row of table) {
    if (row.env === name) return { path: row.path, row, name, rank: 0, value: fromText(row.form, text) };
    if (row.alias?.env === name) {
      const path = row.path.replace('*', row.alias.output);
      return { path, row, name, rank: 1, value: fromText(row.form, text) };
    }
    const old = row.renamed?.find((former) => former.env === name);
    if (old) {
      const value = old.read ? old.read(text) : fromText(row.form, text);
      return { path: row.path.replace('*', old.output ?? '*'), row, name, rank: 2, value };
    }
  }
  // After all exact names, for OUTPUT_BATCH_MS is one.
  for (const row of table) {
    const output = isOutputRow(row) ? outputOf(row, name) : undefined;
    if (output !== undefined) {
      const path = row.path.replace('*', output);
      return { path, row, name, rank: 0, value: fromText(row.form, text) };
    }
  }
  return undefined;
}

/** The output that a variable such as OUTPUT_MAIN_URL names, in lower case. */
function outputOf(row: Row, name: string): string | undefined {
  const [before = '', after = ''] = row.env.split('*');
  if (!name.startsWith(before) || !name.endsWith(after) || name.length <= before.length + after.length)
    return undefined;
  const capitals = name.slice(before.length, -after.length);
  const output = capitals.toLowerCase();
  return capitals === output.toUpperCase() && OUTPUT_NAME.test(output) && output !== 'constructor' ? output : undefined;
}

function unknown(name: string, text: string, table: readonly Row[], known: string[], reading: Reading): void {
  for (const row of table) {
    const removed = row.removed?.find((former) => former.env === name);
    if (removed) {
      const at = { path: name, name, layer: ENVIRONMENT };
      reading.problems.push(problem(at, 'setting_removed', 'no longer exists', HIDDEN, removed.remedy));
      return;
    }
  }
  if ((BOOTSTRAP as readonly string[]).includes(name)) return;
  const meant = name.startsWith('OUTPUT_') ? outputMeant(name, table, known) : nearest(name, known);
  if (meant === undefined && !/^(OUTPUT|MAKERCAST)_/.test(name)) return;
  // It may be a key under a misspelled name.
  if (text.length >= 8) reading.secrets.push(text);
  let hint = 'docs/settings.md lists those that are.';
  if (meant === name) hint = "An output's name begins with a letter, and holds letters, digits and _ only, at most 32.";
  else if (meant !== undefined) hint = `Did you mean ${meant}?`;
  reading.warnings.push(`${name} in the environment is not a setting, and is ignored. ${hint}`);
}

function names(table: readonly Row[]): string[] {
  const own = table.flatMap((row) => (isOutputRow(row) ? [] : [row.env]));
  return [...own, ...table.flatMap((row) => (row.alias ? [row.alias.env] : [])), ...BOOTSTRAP];
}

/** OUTPUT_MAIN_KYE: the output's name stays, the field is compared. */
function outputMeant(name: string, table: readonly Row[], known: readonly string[]): string | undefined {
  const fields = table.filter(isOutputRow).map((row) => row.env.slice(row.env.indexOf('*') + 2));
  const parts = name.split('_');
  for (let words = 1; words <= 2 && parts.length > words + 1; words++) {
    const field = nearest(parts.slice(-words).join('_'), fields);
    if (field !== undefined) return [...parts.slice(0, -words), field].join('_');
  }
  return nearest(name, known);
}
