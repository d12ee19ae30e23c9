/**
 * Tests that only wait, or do one thing hundreds of times, have a short form for every day. `npm run test:long` runs the files that
 * import this in their long form; `.ci/full` does so once an issue.
 */
const isLong = process.env['TEST_LONG'] === '1';

/** The first of the two every day, the second in the long form. */
export const daily = <T>(short: T, long: T): T => (isLong ? long : short);
