/** Runs one part to its end, however it ends, and keeps a proof where it passed. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { keep, proofOf, stateOf } from './proof.mjs';

/** From SIGTERM to SIGKILL, for what the part has to clean up. */
const killAfterSeconds = 30;
/** What a program that is gone has printed is read by then. */
const readMs = 5000;

const countsLine = /^(\d+) passed, (\d+) failed, (\d+) skipped$/;

/** In the order of that line. @type {readonly (keyof Counts)[]} */
const names = ['passed', 'failed', 'skipped'];

/**
 * @typedef {{passed: number, failed: number, skipped: number}} Counts
 * @typedef {{name: string, seconds: number, counts: Counts, problem: string, proof: string}} Attempt `problem` is '' where it passed
 * @typedef {Pick<Attempt, 'name' | 'problem'> & Partial<Attempt>} Result what is said of a part that perhaps was not run
 */

/**
 * Runs `command`; `onLine` gets what it prints. A signal that aborts ends it, and all of its process group.
 * @param {string} command
 * @param {{root: string, seconds: number, signal: AbortSignal | undefined, onLine: (line: string) => void}} options
 */
async function run(command, { root, seconds, signal, onLine }) {
  // `timeout` makes a process group of its own and passes signals on to all of it.
  const words = [`--kill-after=${killAfterSeconds}`, String(seconds), 'sh', '-c', command];
  const child = spawn('timeout', words, { cwd: root, stdio: ['ignore', 'pipe', 'pipe'] });
  const stop = () => child.kill('SIGTERM');
  signal?.addEventListener('abort', stop);
  if (signal?.aborted) stop();
  const read = [child.stdout, child.stderr].map((input) => {
    const lines = createInterface({ input }).on('line', onLine);
    return once(lines, 'close');
  });
  const [code, by] = await once(child, 'exit');
  signal?.removeEventListener('abort', stop);
  let timer;
  // Whoever was left behind may hold the other end for ever.
  await Promise.race([Promise.all(read), new Promise((resolve) => (timer = setTimeout(resolve, readMs)))]);
  clearTimeout(timer);
  for (const input of [child.stdout, child.stderr]) input.destroy();
  return code ?? by;
}

/**
 * @param {import('./parts.mjs').Part} part
 * @param {{root: string, commit: () => string, now?: () => Date, signal?: AbortSignal, onLine?: (line: string) => void}} options
 * @returns {Promise<Attempt>}
 */
export async function attempt(part, { root, commit, now = () => new Date(), signal, onLine = console.log }) {
  const counts = { passed: 0, failed: 0, skipped: 0 };
  const began = now().getTime();
  const head = commit();
  const before = await stateOf(part, root);
  const code = await run(part.command, {
    root,
    seconds: Math.round(part.minutes * 60),
    signal,
    onLine: (line) => {
      onLine(line);
      const [, ...found] = countsLine.exec(line) ?? [];
      names.forEach((name, index) => (counts[name] += Number(found[index] ?? 0)));
    },
  });
  // Versions are those of the end: a part installs what it lacks.
  const after = await stateOf(part, root);
  const seconds = Math.round((now().getTime() - began) / 1000);
  /** @type {[is: boolean | undefined, what: string][]} */
  const problems = [
    [signal?.aborted, 'stopped'],
    [seconds >= part.minutes * 60, `out of time after ${part.minutes} min`],
    [code !== 0, `ended with ${code}`],
    [counts.failed > 0, 'tests failed'],
    [counts.passed === 0, 'ran no test'],
    [
      JSON.stringify(before.files) !== JSON.stringify(after.files),
      'passed, but files that it depends on changed meanwhile',
    ],
  ];
  const problem = problems.find(([is]) => is)?.[1];
  const proof = problem ? '' : keep(proofOf(part, after, { date: now(), commit: head, seconds, counts }), root);
  return { name: part.name, seconds, counts, problem: problem ?? '', proof };
}

/**
 * Attempts one part after the other, whatever becomes of those before. `before` may give a result in place of an attempt.
 * @param {readonly import('./parts.mjs').Part[]} parts
 * @param {Parameters<typeof attempt>[1] & {before?: (part: import('./parts.mjs').Part) => Promise<Result | undefined>}} options
 */
export async function attemptAll(parts, { before = async () => undefined, ...options }) {
  /** @type {Result[]} */
  const results = [];
  for (const part of parts) {
    if (options.signal?.aborted) break;
    try {
      results.push((await before(part)) ?? (await attempt(part, options)));
    } catch (error) {
      results.push({ name: part.name, problem: /** @type {Error} */ (error).message });
    }
  }
  return results;
}
