/** `npm test`: installs what the tests need, compiles, and runs them; `npm test -- <text>` only the files whose path holds the text. */
import { readdirSync } from 'node:fs';
import path from 'node:path';
import { ready, root } from './ready.mjs';

/** One file's tests may take this long before it counts as hung. */
const fileMs = 5 * 60_000;

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

/** Runs files, so many at a time, and adds up the counts that the runner closes with. */
async function runFiles(files, concurrency, counts) {
  if (files.length === 0) return;
  const events = run({ files: files.map((file) => path.join(root, 'dist', file)), concurrency, timeout: fileMs });
  events.on('test:diagnostic', ({ nesting, message }) => {
    const [, what, count] = /^(pass|fail|cancelled|skipped) (\d+)$/.exec(message) || [];
    if (what && nesting === 0) counts[what] += Number(count);
  });
  const report = events.compose(spec);
  report.pipe(process.stdout);
  await new Promise((resolve, reject) => report.on('end', resolve).on('error', reject));
}

await ready({ packages: ['runtime', 'test'], native: true, build: 'all' });

// Only now: a Node.js that is too old has neither, and should hear that it is too old.
const { run } = await import('node:test');
const { spec } = await import('node:test/reporters');

// The operator's own settings are not the tests'.
for (const name of Object.keys(process.env)) {
  if (/^(STREAM|OUTPUT|AV|MAKERCAST|BALENA)_/.test(name)) delete process.env[name];
}

const words = process.argv.slice(2);
const files = testFiles().filter((file) => words.every((word) => file.includes(word)));
const slow = (file) => /^test\/(integration|helpers)\//.test(file);
const counts = { pass: 0, fail: 0, cancelled: 0, skipped: 0 };
const began = Date.now();
// What judges live media judges real time, so each such file has the machine to itself.
await runFiles(files.filter((file) => !slow(file)).sort(), 2, counts);
await runFiles(files.filter(slow).sort(), 1, counts);
const failed = counts.fail + counts.cancelled;
console.log(`${files.length} files, ${((Date.now() - began) / 1000).toFixed(0)} s`);
console.log(`${counts.pass} passed, ${failed} failed, ${counts.skipped} skipped`);
if (counts.pass + failed === 0)
  console.log(`No test ran${words.length > 0 ? `: no file's path holds ${words.join(' and ')}` : ''}.`);
process.exitCode = failed > 0 || counts.pass === 0 ? 1 : 0;
