/** A reporter for node:test that writes what `npm test` counts: one JSON line for each failure, and one with the counts at the end. */
import path from 'node:path';
import { fileURLToPath } from 'node:url';

const root = path.dirname(path.dirname(fileURLToPath(import.meta.url)));
/** A short difference of two values fits, and some failures still stand together on one screen. */
const errorLines = 12;

/**
 * As node:test has it.
 * @typedef {{name: string, file?: string, line?: number, details: {error: Error & {cause?: Error}}}} Failure
 */

/** @typedef {'pass' | 'fail' | 'cancelled' | 'skipped'} Outcome */

/**
 * What failed, in a few lines: name, file, and how the error begins.
 * @param {Failure} failure
 */
function summary({ name, file, line, details }) {
  // The runner wraps what a test threw.
  const error = details.error.cause ?? details.error;
  const text = String(error.stack ?? error).split('\n');
  const telling = text.filter((one) => one.trim() !== '' && !/^\s+at .*\(?node:/.test(one)).slice(0, errorLines);
  const where = file ? ` (${path.relative(root, file)}:${line})` : '';
  return [`FAILED: ${name.replace(`${root}/`, '')}${where}`, ...telling.map((one) => `  ${one}`)].join('\n');
}

/** @param {AsyncIterable<{type: string, data: any}>} source */
export default async function* events(source) {
  /** @type {Record<Outcome, number>} */
  const counts = { pass: 0, fail: 0, cancelled: 0, skipped: 0 };
  for await (const { type, data } of source) {
    if (type === 'test:diagnostic' && data.nesting === 0) {
      const [, what, count] = /^(pass|fail|cancelled|skipped) (\d+)$/.exec(data.message) || [];
      if (what) counts[/** @type {Outcome} */ (what)] += Number(count);
    }
    // What only holds a failed test says nothing new, and one that is to be written does not count.
    const failed = type === 'test:fail' && data.todo === undefined;
    if (failed && data.details.error.failureType !== 'subtestsFailed')
      yield `${JSON.stringify({ failure: summary(data) })}\n`;
  }
  yield `${JSON.stringify({ counts })}\n`;
}
