/** Is this machine ready? Looks at a few files, spawns nothing, prints nothing; only what is missing costs time. */
import { accessSync, constants, readFileSync, statSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { nodeProblem } from './node.mjs';
import { notInstalled, packages, programs } from './packages.mjs';
import { buildPrint, fleetPrint, modulesPrint, mutatePrint, nativePrint, readStamp, writeStamp } from './stamps.mjs';

const dpkgStatus = '/var/lib/dpkg/status';

/** Absolute path of the checkout. */
export const root = path.dirname(path.dirname(fileURLToPath(import.meta.url)));

/** @param {string} program */
function inPath(program) {
  return (process.env.PATH || '').split(':').some((folder) => {
    try {
      accessSync(path.join(folder, program), constants.X_OK);
      return true;
    } catch {
      return false;
    }
  });
}

/** Whether this system has dpkg, and so Debian's packages. */
export const hasDpkg = () => {
  try {
    return statSync(dpkgStatus).isFile();
  } catch {
    return false;
  }
};

/**
 * Debian packages (elsewhere: programs) for these purposes that are not installed.
 * @param {import('./packages.mjs').Purpose[]} purposes
 * @returns {string[]}
 */
export function missingPackages(purposes) {
  /** @param {(purpose: import('./packages.mjs').Purpose) => string[]} table */
  const wanted = (table) => [...new Set(purposes.flatMap((purpose) => table(purpose)))];
  if (!hasDpkg()) return wanted((purpose) => programs[purpose]).filter((program) => !inPath(program));
  const names = wanted((purpose) => Object.keys(packages[purpose]));
  const { size, mtimeMs } = statSync(dpkgStatus);
  const status = `${size} ${mtimeMs}`;
  const stamp = readStamp(root, 'packages');
  const known = stamp.status === status ? stamp.installed : [];
  const unknown = names.filter((name) => !known.includes(name));
  if (unknown.length === 0) return [];
  const missing = notInstalled(readFileSync(dpkgStatus, 'utf8'), unknown);
  const installed = [...known, ...unknown.filter((name) => !missing.includes(name))];
  writeStamp(root, 'packages', { status, installed });
  return missing;
}

/**
 * What a command needs.
 * @typedef {object} Wanted
 * @property {import('./packages.mjs').Purpose[]} packages purposes whose Debian packages are needed
 * @property {boolean} native whether the GStreamer binding is needed (compiling it needs the packages of purpose `build`)
 * @property {import('./stamps.mjs').Extent} build compile what a `start` needs, the `fleet` tool with it, or `all` with tests and benchmarks
 * @property {boolean} [fleet] whether balena-sdk is needed, which is large, lies apart in .cache/fleet, and is never on a device
 * @property {boolean} [mutate] the same of Stryker, in .cache/mutate
 */

/** @typedef {{packages: string[], modules: boolean, native: boolean, build: boolean, fleet: boolean, mutate: boolean}} Lack What of it is missing. */

/**
 * What is missing for `wanted`.
 * @param {Wanted} wanted
 * @returns {Lack}
 */
export function missing(wanted) {
  const stamp = readStamp(root, 'modules');
  const modules = stamp.modules !== modulesPrint(root);
  const native = Boolean(wanted.native) && (modules || stamp.native !== nativePrint());
  return {
    packages: missingPackages(native ? [...wanted.packages, 'build'] : wanted.packages),
    modules,
    native,
    build: modules || readStamp(root, 'build')[wanted.build] !== buildPrint(root, wanted.build),
    fleet: Boolean(wanted.fleet) && readStamp(root, 'fleet').fleet !== fleetPrint(root),
    mutate: Boolean(wanted.mutate) && readStamp(root, 'mutate').mutate !== mutatePrint(root),
  };
}

/** @param {Lack} lack */
export const nothing = (lack) =>
  lack.packages.length === 0 && !(lack.modules || lack.native || lack.build || lack.fleet || lack.mutate);

/**
 * Installs and builds what is missing for `wanted` (see `missing`), or says what to do and ends the process with exit code 1.
 * @param {Wanted} wanted
 */
export async function ready(wanted) {
  const problem = nodeProblem(process.versions.node, process.execPath);
  if (problem) {
    console.error(problem);
    process.exit(1);
  }
  if (nothing(missing(wanted))) return;
  const { install } = await import('./install.mjs');
  await install(wanted);
}
