/** Runs compiled test files with node:test and adds up what came of them. */
import path from 'node:path';
import { root } from './ready.mjs';

/** A short difference of two values fits, and some failures still stand together on one screen. */
const errorLines = 12;

/** What failed, in a few lines: name, file, and how the error begins. */
function summary({ name, file, line, details }) {
  // The runner wraps what a test threw.
  const error = details.error.cause ?? details.error;
  const text = String(error.stack ?? error).split('\n');
  const telling = text.filter((one) => one.trim() !== '' && !/^\s+at .*\(?node:/.test(one)).slice(0, errorLines);
  const where = file ? ` (${path.relative(root, file)}:${line})` : '';
  // Where a file fails as a whole, its path is the name.
  return [`FAILED: ${name.replace(`${root}/`, '')}${where}`, ...telling.map((one) => `  ${one}`)].join('\n');
}

/**
 * Runs files (absolute paths), so many at a time; one that takes longer than `fileMs` counts as hung; reports on stdout, and resolves to the counts that the runner
 * closes with and to some lines of text about each failure.
 * @returns {Promise<{passed: number, failed: number, skipped: number, failures: string[]}>}
 */
export async function runFiles(files, concurrency, fileMs = 5 * 60_000) {
  const counts = { pass: 0, fail: 0, cancelled: 0, skipped: 0 };
  const failures = [];
  if (files.length > 0) {
    // Only now: a Node.js that is too old has neither, and should hear that it is too old.
    const { run } = await import('node:test');
    const { spec } = await import('node:test/reporters');
    const events = run({ files, concurrency, timeout: fileMs });
    events.on('test:diagnostic', ({ nesting, message }) => {
      const [, what, count] = /^(pass|fail|cancelled|skipped) (\d+)$/.exec(message) || [];
      if (what && nesting === 0) counts[what] += Number(count);
    });
    events.on('test:fail', (test) => {
      // What only holds a failed test says nothing new, and one that is to be written does not count.
      if (test.details.error.failureType !== 'subtestsFailed' && test.todo === undefined) failures.push(summary(test));
    });
    const report = events.compose(spec);
    report.pipe(process.stdout);
    await new Promise((resolve, reject) => report.on('end', resolve).on('error', reject));
  }
  return { passed: counts.pass, failed: counts.fail + counts.cancelled, skipped: counts.skipped, failures };
}
