/** Runs compiled test files with node:test and adds up what came of them. */

/**
 * Runs files (absolute paths), so many at a time; one that takes longer than `fileMs` counts as hung; reports on stdout, and resolves to the counts that the runner closes with.
 * @returns {Promise<{passed: number, failed: number, skipped: number}>}
 */
export async function runFiles(files, concurrency, fileMs = 5 * 60_000) {
  const counts = { pass: 0, fail: 0, cancelled: 0, skipped: 0 };
  if (files.length > 0) {
    // Only now: a Node.js that is too old has neither, and should hear that it is too old.
    const { run } = await import('node:test');
    const { spec } = await import('node:test/reporters');
    const events = run({ files, concurrency, timeout: fileMs });
    events.on('test:diagnostic', ({ nesting, message }) => {
      const [, what, count] = /^(pass|fail|cancelled|skipped) (\d+)$/.exec(message) || [];
      if (what && nesting === 0) counts[what] += Number(count);
    });
    const report = events.compose(spec);
    report.pipe(process.stdout);
    await new Promise((resolve, reject) => report.on('end', resolve).on('error', reject));
  }
  return { passed: counts.pass, failed: counts.fail + counts.cancelled, skipped: counts.skipped };
}
