/** A part of `.ci/full` that passed, kept as test/proofs/NAME-KEY.json: made with which files and versions, when, with what counts. */
import { createHash } from 'node:crypto';
import { mkdirSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { irrelevant } from './parts.mjs';

const folder = 'test/proofs';
/**
 * What a part depends on: hashes of files by their path, versions by name.
 * @typedef {{command: string, files: Record<string, string>, versions: Record<string, string>, key: string}} State
 */

/**
 * As it lies in test/proofs/: `files` has their hashes by folder and name.
 * @typedef {object} Proof
 * @property {string} name
 * @property {string} key
 * @property {string} date
 * @property {string} commit
 * @property {number} seconds
 * @property {import('./attempt.mjs').Counts} counts
 * @property {string} command
 * @property {Record<string, string>} versions
 * @property {Record<string, Record<string, string>>} files
 */

const digits = { key: 12, file: 8 };

/** @param {(string | Buffer)[]} pieces */
const sha256 = (...pieces) =>
  pieces.reduce((hash, piece) => hash.update(piece).update('\0'), createHash('sha256')).digest('hex');

/**
 * @param {string} root
 * @param {string} entry
 * @returns {string[]}
 */
function filesUnder(root, entry) {
  const stat = statSync(path.join(root, entry), { throwIfNoEntry: false });
  if (!stat?.isDirectory()) return stat ? [entry] : [];
  return readdirSync(path.join(root, entry)).flatMap((name) => filesUnder(root, `${entry}/${name}`));
}

/**
 * What `part` depends on, as it lies in `root` now: the hash of each file's content, and versions; and the key of it all. Git is not
 * asked: what runs is what lies there.
 * @param {import('./parts.mjs').Part} part
 * @param {string} root
 * @returns {Promise<State>}
 */
export async function stateOf(part, root) {
  const without = part.paths.filter((entry) => entry.startsWith('!')).map((entry) => entry.slice(1));
  const names = [...part.paths, 'package-lock.json']
    .flatMap((entry) => filesUnder(root, entry))
    .filter((name) => !without.some((entry) => name === entry || name.startsWith(`${entry}/`)));
  const files = Object.fromEntries(
    [...new Set(names)]
      .filter((name) => !irrelevant.test(name))
      .sort()
      .map((name) => [name, sha256(readFileSync(path.join(root, name)))]),
  );
  /** @type {Record<string, string>} */
  const versions = {};
  for (const [name, version] of Object.entries(part.versions)) versions[name] = await version();
  const key = sha256(JSON.stringify([part.command, files, versions])).slice(0, digits.key);
  return { command: part.command, files, versions, key };
}

/**
 * A file's hash as a proof holds it. With the proof's key in it, all of them differ from one proof to the next: else Git would take the
 * next for the last one renamed, and two branches with a proof each for one file with two names, which is a conflict.
 * @param {string} key
 * @param {string} hash
 */
const short = (key, hash) => sha256(key, hash).slice(0, digits.file);

/**
 * The proof of `part` in `state`.
 * @param {import('./parts.mjs').Part} part
 * @param {State} state
 * @param {{date: Date, commit: string, seconds: number, counts: import('./attempt.mjs').Counts}} outcome
 * @returns {Proof}
 */
export function proofOf(part, { command, files, versions, key }, { date, ...outcome }) {
  /** @type {Proof['files']} */
  const folders = {};
  for (const [name, hash] of Object.entries(files))
    (folders[path.dirname(name)] ??= {})[path.basename(name)] = short(key, hash);
  return { name: part.name, key, date: date.toISOString(), ...outcome, command, versions, files: folders };
}

/**
 * As text: a line for each folder, since hundreds of files would be the longest in every change.
 * @param {Proof} proof
 */
function textOf({ files, ...head }) {
  const lines = Object.entries(files).map(([name, hashes]) => `    ${JSON.stringify(name)}: ${JSON.stringify(hashes)}`);
  return `${JSON.stringify(head, null, 2).slice(0, -2)},\n  "files": {\n${lines.join(',\n')}\n  }\n}\n`;
}

/**
 * @param {string} name
 * @param {string} root
 */
const proofFiles = (name, root) => {
  const isOne = new RegExp(`^${name}-[0-9a-f]{${digits.key}}\\.json$`);
  try {
    return readdirSync(path.join(root, folder)).filter((file) => isOne.test(file));
  } catch (error) {
    if (/** @type {NodeJS.ErrnoException} */ (error).code === 'ENOENT') return [];
    throw error;
  }
};

/**
 * Writes `proof`, and removes older ones of the same name. Returns the file's path in the repository.
 * @param {Proof} proof
 * @param {string} root
 */
export function keep(proof, root) {
  const file = `${proof.name}-${proof.key}.json`;
  mkdirSync(path.join(root, folder), { recursive: true });
  writeFileSync(path.join(root, folder, file), textOf(proof));
  for (const old of proofFiles(proof.name, root)) if (old !== file) rmSync(path.join(root, folder, old));
  return `${folder}/${file}`;
}

/**
 * The proofs of that name, the newest first: two branches that were merged have brought one each.
 * @param {string} name
 * @param {string} root
 * @returns {Proof[]}
 */
export function proofsOf(name, root) {
  return proofFiles(name, root)
    .flatMap((file) => {
      try {
        return [JSON.parse(readFileSync(path.join(root, folder, file), 'utf8'))];
      } catch {
        return []; // Nobody can rely on what nobody can read.
      }
    })
    .sort((one, other) => Date.parse(other.date) - Date.parse(one.date));
}

/**
 * What is otherwise than when `proof` was made: paths of files that were changed, added or removed; versions as text. A version that this
 * machine does not know is not held against it.
 * @param {Proof} proof
 * @param {State} state
 * @returns {{files: string[], versions: string[], command: boolean}}
 */
export function since(proof, { command, files, versions }) {
  const then = new Map(
    Object.entries(proof.files).flatMap(([name, hashes]) =>
      Object.entries(hashes).map(([base, hash]) => [path.join(name, base), hash]),
    ),
  );
  const names = [...new Set([...then.keys(), ...Object.keys(files)])].sort();
  return {
    files: names.filter((name) => then.get(name) !== (files[name] && short(proof.key, files[name]))),
    versions: Object.entries(versions)
      .filter(([name, now]) => now !== '' && proof.versions[name] !== now)
      .map(([name, now]) => `${name} ${proof.versions[name] || 'unknown'}, now ${now}`),
    command: proof.command !== command,
  };
}
