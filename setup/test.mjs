/** `npm test`: installs what the tests need, compiles, and runs them; `npm test -- <text>` only the files whose path holds the text. */
import { readdirSync } from 'node:fs';
import path from 'node:path';
import { ready, root } from './ready.mjs';
import { runFiles } from './runner.mjs';

/** What needs a machine of its own has a command of its own: test/vm runs in `npm run test:vm`. */
const elsewhere = ['test/vm'];

/** The compiled files of test/, as listed by their sources: dist/ may still hold those of tests that are gone. */
function testFiles(folder = 'test') {
  if (elsewhere.includes(folder)) return [];
  return readdirSync(path.join(root, folder), { withFileTypes: true }).flatMap((entry) => {
    const file = `${folder}/${entry.name}`;
    if (entry.isDirectory()) return testFiles(file);
    return file.endsWith('.test.ts') ? [file.replace(/\.ts$/, '.js')] : [];
  });
}

const words = process.argv.slice(2);
const files = testFiles().filter((file) => words.every((word) => file.includes(word)));
const fleet = files.some((file) => file.startsWith('test/commands/fleet'));
await ready({ packages: ['runtime', 'test'], native: true, build: 'all', fleet });

// The operator's own settings are not the tests'.
for (const name of Object.keys(process.env)) {
  if (/^(STREAM|OUTPUT|AV|MAKERCAST|BALENA)_/.test(name)) delete process.env[name];
}

const slow = (file) => /^test\/(integration|helpers)\//.test(file);
/**
 * Two minutes of this are a network that is cut: it takes 54 s of processor time in 124 s. What runs beside it for as long waits for
 * brokers, locks and restarts, and judges no media by the clock (user and system time, 2026-11-21). Two processors are idle for half.
 */
const waits = (file) => file === 'test/integration/recovery.test.js';
const beside = (file) => /^test\/integration\/(balena|mqtt|secrets)\.test\.js$/.test(file);
const apart = (file) => slow(file) && !waits(file) && !beside(file);
/** What takes half a minute and more begins first, so that it is not what everything else has ended before. */
const isLong = (file) => /\/(mqtt|files|fuzz|recorder|steering|images)\.test\.js$/.test(file);
const compiled = (chosen) =>
  [...chosen.filter(isLong).sort(), ...chosen.filter((file) => !isLong(file)).sort()].map((file) =>
    path.join(root, 'dist', file),
  );
const began = Date.now();
// What judges live media judges real time, so each such file has the machine to itself.
const results = [
  await runFiles(compiled(files.filter((file) => !slow(file))), 2),
  await runFiles(compiled(files.filter(apart)), 1),
  ...(await Promise.all([waits, beside].map((chosen) => runFiles(compiled(files.filter(chosen)), 1)))),
];
const [passed, failed, skipped] = ['passed', 'failed', 'skipped'].map((name) =>
  results.reduce((sum, counts) => sum + counts[name], 0),
);
console.log(`${files.length} files, ${((Date.now() - began) / 1000).toFixed(0)} s`);
// Once more at the end: of a long run often only the end is seen.
for (const failure of results.flatMap(({ failures }) => failures)) console.log(failure);
console.log(`${passed} passed, ${failed} failed, ${skipped} skipped`);
if (passed + failed === 0)
  console.log(`No test ran${words.length > 0 ? `: no file's path holds ${words.join(' and ')}` : ''}.`);
process.exitCode = failed > 0 || passed === 0 ? 1 : 0;
