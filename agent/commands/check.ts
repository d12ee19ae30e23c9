/** `makercast check`: says everything that is wrong with the settings, at once. */
import type { Resolved } from '../config/resolve.js';

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

/** Prints the problems and warnings and a closing line. Returns the exit code: 0, or 2 if there is any problem. */
export function check(resolved: Checked, print: (line: string) => void): number {
  for (const line of formatProblems(resolved)) print(line);
  const count = resolved.problems.length + resolved.held.length;
  if (count === 0) {
    print('The settings are valid.');
    return 0;
  }
  print(`${count} ${count === 1 ? 'setting is' : 'settings are'} not valid. docs/settings.md describes all of them.`);
  return INVALID;
}
