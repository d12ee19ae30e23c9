/** `makercast check`: says everything that is wrong with the settings, at once. */
import { stat } from 'node:fs/promises';
import path from 'node:path';
import type { Resolved } from '../config/resolve.js';
import { get, rows, type Settings } from '../config/settings.js';
import { excessIn } from '../media/delivery/recording/store.js';
import { wantedRecording } from '../broadcast/wants.js';

/** Exit code for settings that are not valid. */
export const INVALID = 2;

/** What came of the settings. */
type Checked = Pick<Resolved, 'problems' | 'held' | 'warnings'>;

/** One line for each problem, then one for each warning; none of them holds a secret. */
export function formatProblems({ problems, held, warnings }: Checked): string[] {
  return [
    ...[...problems, ...held].map(({ code, message }) => `problem [${code}] ${message}`),
    ...warnings.map((warning) => `warning ${warning}`),
  ];
}

/** What is wrong with the files that the settings name; relative paths start from `folder`. One line each. */
export async function oddFiles(settings: Settings, folder: string): Promise<string[]> {
  const named = rows.flatMap(({ path: setting, file, form }) =>
    file || form.type === 'paths'
      ? [get(settings, setting)].flat().map((name) => ({ setting, name: String(name) }))
      : [],
  );
  const lines = await Promise.all(
    named.filter(({ name }) => name !== '').map(({ setting, name }) => odd(setting, name, path.resolve(folder, name))),
  );
  return lines.flat();
}

async function odd(setting: string, name: string, absolute: string): Promise<string[]> {
  const isFolder = setting === 'recording.folder';
  const say = (why: string): string[] => [`${setting}: ${JSON.stringify(name)} ${why}.`];
  const there = await stat(absolute).catch(
    (error: unknown) => (error as NodeJS.ErrnoException).code ?? 'unknown error',
  );
  if (typeof there !== 'string') {
    if (isFolder) return there.isDirectory() ? [] : say('is not a folder');
    if (there.isDirectory()) return say('is a folder, not a file');
    return there.isFile() ? [] : say('is not a file but a pipe, a socket or a device');
  }
  // It is made when something is first recorded.
  if (there === 'ENOENT' && isFolder) return [];
  if (name.startsWith('~')) return say('does not exist: ~ is not expanded here, write the whole path');
  if (/[*?]/.test(name)) return say('does not exist: patterns are not expanded here, list the files one by one');
  return say(there === 'ENOENT' ? `does not exist (${absolute})` : `cannot be read (${there})`);
}

/** What the limits of the recordings will have deleted; `usual`: the folder where none is set. One line, or none. */
export async function toDelete(settings: Settings, folder: string, usual: string): Promise<string[]> {
  const wanted = wantedRecording(settings, folder, usual);
  if (!wanted) return [];
  const { files, bytes } = await excessIn(wanted.folder, wanted);
  const what = `${files} of the recordings in ${wanted.folder} (${(bytes / 1e9).toFixed(2)} GB) will be deleted`;
  return files === 0 ? [] : [`recording.quotaGb, recording.minFreeGb: ${what}, one a second.`];
}

/** Prints the problems and warnings, `told` (which file was read) and a closing line. Returns the exit code: 0, or 2 if there is any problem. */
export function check(resolved: Checked, print: (line: string) => void, told?: string): number {
  for (const line of formatProblems(resolved)) print(line);
  if (told !== undefined) print(told);
  const count = resolved.problems.length + resolved.held.length;
  if (count === 0) {
    print('The settings are valid.');
    return 0;
  }
  print(`${count} ${count === 1 ? 'setting is' : 'settings are'} not valid. docs/settings.md describes all of them.`);
  return INVALID;
}
