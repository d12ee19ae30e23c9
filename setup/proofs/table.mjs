/** What `.ci/run` says of the proofs: how old each is, and what has changed since. */
import { proofsOf, since, stateOf } from './proof.mjs';

const dayMs = 24 * 3600_000;
/** An older one is worth little: Debian's packages and the npm registry have gone on. */
export const patienceDays = 14;
/** So many changed files are named. */
const named = 5;

/**
 * @param {{date: string}} proof
 * @param {Date} now
 */
export const daysOld = ({ date }, now) => Math.floor((now.getTime() - Date.parse(date)) / dayMs);
/** @param {number} days */
const ageText = (days) => (days < 1 ? 'less than a day old' : `${days} day${days === 1 ? '' : 's'} old`);

/**
 * `since` of proof.mjs in words.
 * @param {ReturnType<typeof since>} what
 * @returns {string[]}
 */
function changes({ files, versions, command }) {
  const rest = files.length > named ? ` and ${files.length - named} more` : '';
  const changed = `${files.length} file${files.length === 1 ? '' : 's'} changed since`;
  return [
    ...(files.length > 0 ? [`${changed}: ${files.slice(0, named).join(', ')}${rest}`] : []),
    ...(versions.length > 0 ? [`made with ${versions.join('; ')}`] : []),
    ...(command ? ['made by another command'] : []),
  ];
}

/**
 * The proof of `part` that says most of what lies in `root` now, and what is said of it.
 * @returns {Promise<{line: string, isFitting: boolean, isOld: boolean}>}
 * @param {import('./parts.mjs').Part} part
 * @param {string} root
 * @param {Date} now
 */
export async function judge(part, root, now) {
  const state = await stateOf(part, root);
  const all = proofsOf(part.name, root).map((proof) => ({ proof, what: changes(since(proof, state)) }));
  const best = all.find(({ what }) => what.length === 0) ?? all[0];
  if (!best) return { line: `proof ${part.name}: none`, isFitting: false, isOld: false };
  const days = daysOld(best.proof, now);
  const { passed, skipped } = best.proof.counts;
  const counts = `${passed} passed${skipped > 0 ? `, ${skipped} skipped` : ''}`;
  const line = `proof ${part.name}: ${[ageText(days), counts, ...(best.what.length > 0 ? best.what : ['nothing changed since'])].join('; ')}`;
  return { line, isFitting: best.what.length === 0, isOld: days >= patienceDays };
}

/**
 * A line for each part, and one more that warns of what is old.
 * @param {readonly import('./parts.mjs').Part[]} parts
 * @param {string} root
 * @param {Date} now
 * @returns {Promise<string[]>}
 */
export async function table(parts, root, now) {
  const judged = [];
  for (const part of parts) judged.push({ name: part.name, ...(await judge(part, root, now)) });
  const old = judged.filter(({ isOld }) => isOld).map(({ name }) => name);
  const warning = `WARNING: older than ${patienceDays} days: ${old.join(', ')}. Run: .ci/full ${old.join(' ')}`;
  return [...judged.map(({ line }) => line), ...(old.length > 0 ? [warning] : [])];
}
