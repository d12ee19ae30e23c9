/** What a test of the service prints while it runs, and how many of its checks passed and failed. */

/**
 * Throws `what`, unless it is so.
 * @param {boolean} is
 * @param {string} what
 */
export function must(is, what) {
  if (!is) throw new Error(what);
}

/**
 * Results that are empty now; `name` stands before each of its lines.
 * @param {string} name
 */
export function openResults(name) {
  const began = Date.now();
  const counts = { passed: 0, failed: 0 };
  /** @param {string} line */
  const say = (line) =>
    console.log(`[${name} ${String(Math.round((Date.now() - began) / 1000)).padStart(3)} s] ${line}`);
  return {
    counts,
    say,
    /**
     * Does `work`, which throws where the check fails, and may return a note. Never rejects.
     * @param {string} what
     * @param {() => Promise<string | void>} work
     */
    async check(what, work) {
      try {
        const note = await work();
        counts.passed += 1;
        say(`passed: ${what}${note ? ` (${note})` : ''}`);
      } catch (error) {
        counts.failed += 1;
        say(`FAILED: ${what}: ${/** @type {Error} */ (error).message}`);
      }
    },
  };
}
