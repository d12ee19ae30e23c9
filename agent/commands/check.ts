/** `makercast check`: says everything that is wrong with the settings, at once. */
import type { Resolved } from '../config/resolve.js';

/** Exit code for settings that are not valid. */
export const INVALID = 2;

/** One line for each problem, then one for each warning; none of them holds a secret. */
export function formatProblems({ problems, warnings }: Pick<Resolved, 'problems' | 'warnings'>): string[] {
  return [
    ...problems.map(({ code, message }) => `problem [${code}] ${message}`),
    ...warnings.map((warning) => `warning ${warning}`),
  ];
}

/** Prints the problems and warnings and a closing line. Returns the exit code: 0, or 2 if there is any problem. */
export function check(resolved: Pick<Resolved, 'problems' | 'warnings'>, print: (line: string) => void): number {
  for (const line of formatProblems(resolved)) print(line);
  const count = resolved.problems.length;
  if (count === 0) {
    print('The settings are valid.');
    return 0;
  }
  print(`${count} ${count === 1 ? 'setting is' : 'settings are'} not valid. docs/settings.md describes all of them.`);
  return INVALID;
}
