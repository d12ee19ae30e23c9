/**
 * What was installed and built from what, so that a second start sees at a glance that nothing is to be done.
 *
 * Each stamp lives inside the folder that it speaks of, and is written last: where an install or a build was cut off,
 * or somebody removed the folder, there is no stamp, and the next start does the work again.
 */
import { createHash } from 'node:crypto';
import { mkdirSync, readdirSync, readFileSync, renameSync, statSync, writeFileSync } from 'node:fs';
import path from 'node:path';

/** Folder whose stamp it is -> the stamp's file. */
const files = {
  modules: 'node_modules/.makercast.json',
  build: 'dist/.makercast.json',
  packages: '.cache/packages.json',
  fleet: '.cache/fleet/.makercast.json',
  mutate: '.cache/mutate/.makercast.json',
};

/** What is compiled: for a start, for the fleet tool, and for tests and benchmarks; the project of tsc, and its folders. */
export const extents = {
  start: { project: 'tsconfig.agent.json', folders: ['agent', 'pipelines'] },
  fleet: { project: 'tsconfig.fleet.json', folders: ['agent', 'pipelines', 'fleet'] },
  all: { project: 'tsconfig.json', folders: ['agent', 'pipelines', 'fleet', 'test', 'bench'] },
};

/** @typedef {keyof typeof files} Stamp */
/** @typedef {keyof typeof extents} Extent */

export const extentNames = /** @type {Extent[]} */ (Object.keys(extents));

/**
 * The stamp as it was written, or {} when there is none.
 * @param {string} root
 * @param {Stamp} which
 * @returns {Partial<Record<string, any>>}
 */
export function readStamp(root, which) {
  try {
    return JSON.parse(readFileSync(path.join(root, files[which]), 'utf8'));
  } catch {
    return {};
  }
}

/**
 * Adds `fields` to a stamp. A folder that cannot be written is not an error: then the next start looks again.
 * @param {string} root
 * @param {Stamp} which
 * @param {Record<string, unknown>} fields
 */
export function writeStamp(root, which, fields) {
  const file = path.join(root, files[which]);
  try {
    mkdirSync(path.dirname(file), { recursive: true });
    writeFileSync(`${file}.${process.pid}`, JSON.stringify({ ...readStamp(root, which), ...fields }));
    renameSync(`${file}.${process.pid}`, file);
  } catch (error) {
    if (!['EACCES', 'EPERM', 'EROFS'].includes(/** @type {NodeJS.ErrnoException} */ (error).code ?? '')) throw error;
  }
}

/**
 * @param {string} folder
 * @returns {string[]}
 */
function names(folder) {
  try {
    return readdirSync(folder).sort();
  } catch {
    return [];
  }
}

/**
 * What node_modules must be made from: the lock file and the patches, by content.
 * @param {string} root
 */
export function modulesPrint(root) {
  const hash = createHash('sha256').update(readFileSync(path.join(root, 'package-lock.json')));
  const patches = path.join(root, 'patches');
  for (const name of names(patches)) hash.update(`\n${name}\n`).update(readFileSync(path.join(patches, name)));
  return hash.digest('hex');
}

/** Where the lock file lies of each tool whose node_modules are apart, in .cache/TOOL. */
export const tools = { fleet: 'fleet', mutate: 'setup/mutate' };

/**
 * What a tool's own node_modules must be made from: its lock file, by content.
 * @param {string} root
 * @param {keyof typeof tools} tool
 */
const toolPrint = (root, tool) =>
  createHash('sha256')
    .update(readFileSync(path.join(root, tools[tool], 'package-lock.json')))
    .digest('hex');
/** @param {string} root */
export const fleetPrint = (root) => toolPrint(root, 'fleet');
/** @param {string} root */
export const mutatePrint = (root) => toolPrint(root, 'mutate');

/** What the native binding must be compiled for: an addon runs on one Node ABI, one architecture. */
export const nativePrint = () => `${process.platform} ${process.arch} abi ${process.versions.modules}`;

/**
 * What dist/ must be compiled from: names, sizes and times of the sources (reading 200 files would take longer than
 * everything else at start), and the lock file, which names the compiler.
 * @param {string} root
 * @param {Extent} extent
 */
export function buildPrint(root, extent) {
  const hash = createHash('sha256');
  /** @param {string} file */
  const add = (file) => {
    const { size, mtimeMs } = statSync(path.join(root, file));
    hash.update(`${file} ${size} ${mtimeMs}\n`);
  };
  /** @param {string} folder */
  const walk = (folder) => {
    let entries;
    try {
      entries = readdirSync(path.join(root, folder), { withFileTypes: true });
    } catch {
      return;
    }
    for (const entry of entries) {
      const file = `${folder}/${entry.name}`;
      if (entry.isDirectory()) walk(file);
      else if (entry.name.endsWith('.ts')) add(file);
    }
  };
  ['package-lock.json', 'tsconfig.json'].forEach(add);
  extents[extent].folders.forEach(walk);
  return hash.digest('hex');
}
