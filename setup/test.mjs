/**
 * `npm test`: installs what the tests need, compiles, and runs them; `npm test -- <text>` only the files whose path holds the text.
 * `npm run test:long` runs, in their long form, those that have a short one for every day; `npm run test:busy` keeps one core busy
 * meanwhile.
 */
import { spawn } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { parseArgs } from 'node:util';
import { ready, root } from './ready.mjs';
import { runFiles, timeTable } from './runner.mjs';

/** What needs a machine of its own has a command of its own: test/vm runs in `npm run test:vm`. */
const elsewhere = ['test/vm'];
/**
 * So many files at a time on two cores: most tests wait for something most of the time (`npm test` prints both times of each file).
 * Each has a network of its own where this is root, and ports of its own anywhere.
 */
const slots = 4;

/**
 * The sources of the test files.
 * @returns {string[]}
 */
function testFiles(folder = 'test') {
  if (elsewhere.includes(folder)) return [];
  return readdirSync(path.join(root, folder), { withFileTypes: true }).flatMap((entry) => {
    const file = `${folder}/${entry.name}`;
    if (entry.isDirectory()) return testFiles(file);
    return file.endsWith('.test.ts') ? [file] : [];
  });
}

/** @param {string} file */
const hasLongForm = (file) => readFileSync(path.join(root, file), 'utf8').includes('/helpers/long.js');

/** How long each file took when it last ran on this machine, in seconds. */
const timesFile = path.join(root, '.cache/test-times.json');
/** @returns {Record<string, number>} */
function lastTimes() {
  try {
    return JSON.parse(readFileSync(timesFile, 'utf8'));
  } catch {
    return {};
  }
}

/**
 * What takes a minute and more, for machines on which nothing has run yet.
 * @param {string} file
 */
const isLong = (file) =>
  /\/(fleet\/fleet|content|files|recording|processes|settings|throttle|onair|mqtt|steering|recorder|run|images)\.test\.ts$/.test(
    file,
  );

/**
 * Longest first, so that nothing long begins when all else has ended.
 * @param {string[]} files
 */
function inOrder(files) {
  const last = lastTimes();
  /** @param {string} file */
  const time = (file) => last[file] ?? (isLong(file) ? 60 : file.startsWith('test/integration/') ? 30 : 5);
  return [...files].sort((a, b) => time(b) - time(a));
}

/** @param {readonly import('./runner.mjs').Time[]} times */
function keepTimes(times) {
  const seconds = Object.fromEntries(times.map(({ file, wall }) => [file.replace(/\.js$/, '.ts'), Math.round(wall)]));
  mkdirSync(path.dirname(timesFile), { recursive: true });
  writeFileSync(timesFile, JSON.stringify({ ...lastTimes(), ...seconds }));
}

const { values: options, positionals: words } = parseArgs({
  options: { long: { type: 'boolean' }, busy: { type: 'boolean' } },
  allowPositionals: true,
});
const chosen = testFiles().filter((file) => words.every((word) => file.includes(word)));
const files = options.long ? chosen.filter(hasLongForm) : chosen;
const fleet = files.some((file) => file.startsWith('test/fleet/'));
await ready({ packages: ['runtime', 'test'], native: true, build: 'all', fleet });

// The operator's own settings are not the tests'.
for (const name of Object.keys(process.env)) {
  if (/^(STREAM|OUTPUT|AV|MAKERCAST|BALENA)_/.test(name)) delete process.env[name];
}
if (options.long) process.env.TEST_LONG = '1';
// Deadlines are there to find what hangs, and the files share two cores; `--busy` leaves them one.
process.env.TEST_PATIENCE ??= options.busy ? '3' : '2';
// It ends with us, however we end.
const busy = ['--pdeathsig', 'KILL', '--', process.execPath, '--eval', 'for (;;);'];
const load = options.busy ? spawn('setpriv', busy, { stdio: 'ignore' }) : undefined;

const began = Date.now();
const compiled = inOrder(files).map((file) => path.join(root, 'dist', file.replace(/\.ts$/, '.js')));
// The first start on a machine scans GStreamer's plugins and tries encoders; four of them at once would do so four times, and slowly.
const isFirst = !existsSync(path.join(root, '.cache/home/encoders.json'));
const opening = compiled.filter((file) => isFirst && file.endsWith('test/helpers/agent/agent.test.js'));
const { passed, failed, skipped, failures, times } = await runFiles(compiled, { opening, slots, apart: true });
load?.kill('SIGKILL');
keepTimes(times);
for (const line of timeTable(times)) console.log(line);
console.log(`${files.length} files, ${((Date.now() - began) / 1000).toFixed(0)} s`);
// Once more at the end: of a long run often only the end is seen.
for (const failure of failures) console.log(failure);
console.log(`${passed} passed, ${failed} failed, ${skipped} skipped`);
if (passed + failed === 0)
  console.log(`No test ran${words.length > 0 ? `: no file's path holds ${words.join(' and ')}` : ''}.`);
process.exitCode = failed > 0 || passed === 0 ? 1 : 0;
