/** Runs compiled test files side by side, adds up what came of them, and says what each took. */
import { runFile } from './testfile.mjs';

/** @typedef {{file: string, wall: number, processor: number}} Time Seconds. */

/**
 * Runs files (absolute paths) in this order, `slots` of them at a time; one that takes longer than `fileMs` counts as hung and is
 * ended. Reports on stdout as each ends, and resolves to the counts, some lines of text about each failure, and what each file took
 * in seconds. `opening`: those of them that run before all others, alone. `apart`: each in a network of its own, where that can be had.
 * @param {string[]} files
 * @param {{slots: number, opening?: string[], fileMs?: number, apart?: boolean}} options
 */
export async function runFiles(files, { slots, opening = [], fileMs = 5 * 60_000, apart = false }) {
  const waiting = [...opening];
  /** @type {import('./testfile.mjs').Outcome[]} */
  const outcomes = [];
  const work = async () => {
    for (let file = waiting.shift(); file !== undefined; file = waiting.shift()) {
      const outcome = await runFile(file, { fileMs, apart });
      const took = `${outcome.wall.toFixed(1)} s, ${outcome.processor.toFixed(1)} s of processor time`;
      process.stdout.write(`\n── ${outcome.file} (${took})\n${outcome.report}`);
      outcomes.push(outcome);
    }
  };
  await work();
  waiting.push(...files.filter((file) => !opening.includes(file)));
  await Promise.all(Array.from({ length: slots }, work));
  /** @param {(keyof import('./testfile.mjs').Outcome['counts'])[]} names */
  const sum = (...names) =>
    outcomes.reduce((all, { counts }) => all + names.reduce((some, name) => some + counts[name], 0), 0);
  return {
    passed: sum('pass'),
    failed: sum('fail', 'cancelled'),
    skipped: sum('skipped'),
    failures: outcomes.flatMap(({ failures }) => failures),
    times: outcomes.map(({ file, wall, processor }) => ({ file, wall, processor })),
  };
}

/**
 * The files with what each took, slowest first, and the sum: lines of text.
 * @param {readonly Time[]} times
 * @returns {string[]}
 */
export function timeTable(times) {
  /**
   * @param {string} name
   * @param {number} wall
   * @param {number} processor
   */
  const row = (name, wall, processor) => `${wall.toFixed(1).padStart(8)} ${processor.toFixed(1).padStart(8)}  ${name}`;
  /** @param {'wall' | 'processor'} what */
  const sum = (what) => times.reduce((all, one) => all + one[what], 0);
  return [
    'wall (s)  cpu (s)  file',
    ...[...times].sort((a, b) => b.wall - a.wall).map(({ file, wall, processor }) => row(file, wall, processor)),
    row(`sum of ${times.length} files`, sum('wall'), sum('processor')),
  ];
}
