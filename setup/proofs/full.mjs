/**
 * `.ci/full [--missing] [--list] [NAME…]`: runs the parts that take too long for `.ci/run`, one after the other, all of them unless some
 * are named, and keeps a proof of each that passes in test/proofs/, to be committed.
 *
 * `--missing` leaves out those whose proof still fits and is not old; `--list` only shows the proofs.
 */
import { execFileSync } from 'node:child_process';
import { parseArgs } from 'node:util';
import { root } from '../ready.mjs';
import { attemptAll } from './attempt.mjs';
import { irrelevant, parts } from './parts.mjs';
import { judge, table } from './table.mjs';

/** @typedef {import('./attempt.mjs').Result} Result */

/** @param {string[]} args */
const git = (...args) => execFileSync('git', ['-C', root, ...args], { encoding: 'utf8' });

/**
 * A proof speaks of a commit, which is also what some parts clone.
 * @param {import('./parts.mjs').Part} part
 */
const uncommitted = ({ paths }) =>
  git('status', '--porcelain', '-uall', '--', ...paths.map((entry) => entry.replace(/^!/, ':!')), 'package-lock.json')
    .split('\n')
    .filter((line) => line && !irrelevant.test(line.slice(3)));

/**
 * What is said of a part in place of running it.
 * @param {import('./parts.mjs').Part} part
 * @param {boolean | undefined} onlyMissing
 * @returns {Promise<Result | undefined>}
 */
async function before(part, onlyMissing) {
  console.log(`\n=== ${part.name}: ${part.command}`);
  const { line, isFitting, isOld } = await judge(part, root, new Date());
  if (onlyMissing && isFitting && !isOld) return { name: part.name, problem: '', proof: `not run: ${line}` };
  const changed = uncommitted(part).map((line) => line.slice(3));
  if (changed.length === 0) return undefined;
  return { name: part.name, problem: `not run: commit first what differs from HEAD: ${changed.join(', ')}` };
}

/** @param {Result} result */
function said({ name, problem, proof, seconds, counts }) {
  const figures =
    counts &&
    seconds !== undefined &&
    `${(seconds / 60).toFixed(1)} min; ${counts.passed} passed, ${counts.failed} failed, ${counts.skipped} skipped`;
  return [`${problem ? 'FAILED' : 'ok    '} ${name}`, figures, problem || proof].filter(Boolean).join('; ');
}

async function main() {
  const { positionals: names, values: options } = parseArgs({
    allowPositionals: true,
    options: { missing: { type: 'boolean' }, list: { type: 'boolean' } },
  });
  const unknown = names.find((name) => !parts.some((part) => part.name === name));
  if (unknown !== undefined) {
    const known = parts.map(({ name }) => name).join(', ');
    console.error(`There is no part ${JSON.stringify(unknown)}; there are ${known}.`);
    return 2;
  }
  const chosen = parts.filter(({ name }) => names.length === 0 || names.includes(name));
  if (options.list) {
    for (const line of await table(chosen, root, new Date())) console.log(line);
    return 0;
  }
  const stopping = new AbortController();
  for (const name of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(name, () => stopping.abort());
  const results = await attemptAll(chosen, {
    root,
    commit: () => git('rev-parse', '--short', 'HEAD').trim(),
    signal: stopping.signal,
    before: (part) => before(part, options.missing),
  });
  console.log(`\n${results.map(said).join('\n')}`);
  if (stopping.signal.aborted) return 130;
  return results.some(({ problem }) => problem) ? 1 : 0;
}

process.exitCode = await main();
