/** Installs and builds what is missing, one step after the other; each can be cut off at any time and done again. */
import { accessSync, constants, existsSync, mkdirSync, openSync, closeSync, rmSync, statSync } from 'node:fs';
import path from 'node:path';
import { installPackages } from './apt.mjs';
import { compileBinding, installFleet, installModules, installMutate } from './modules.mjs';
import { missing, nothing, root } from './ready.mjs';
import { inherited, quietly, say, step, Stop } from './run.mjs';
import { buildPrint, extentNames, extents, writeStamp } from './stamps.mjs';

/** Throws Stop unless this user may write in the checkout. */
function mustBeWritable() {
  for (const folder of ['.', 'node_modules', 'dist', '.cache', '.cache/fleet', '.cache/mutate'].map((name) =>
    path.join(root, name),
  )) {
    if (!existsSync(folder)) continue;
    try {
      accessSync(folder, constants.W_OK);
    } catch {
      throw new Stop(
        `This user may not write to ${folder}, and something there must be installed or built first.` +
          ` Start makercast once as the owner of that folder (user id ${statSync(folder).uid}), or take it over with chown.`,
      );
    }
  }
}

/**
 * Does `work` in one process of this checkout at a time, waiting for another that is at it; `name` tells one kind of work from
 * another. The lock is the open file's (flock on an inherited descriptor): it ends with this process and the step that it
 * runs, however they end.
 * @template T
 * @param {string} name
 * @param {() => T | Promise<T>} work
 * @returns {Promise<T>}
 */
export async function alone(name, work) {
  mkdirSync(path.join(root, '.cache'), { recursive: true });
  const lock = openSync(path.join(root, '.cache', `${name}.lock`), 'a');
  inherited.push(lock);
  try {
    const { code } = await quietly('flock', ['--exclusive', '--nonblock', '3']);
    if (code === 1) {
      say('another makercast is setting up this folder; waiting for it');
      await quietly('flock', ['--exclusive', '3']);
    }
    return await work();
  } finally {
    inherited.length = 0;
    closeSync(lock);
  }
}

/** @param {import('./stamps.mjs').Extent} extent */
async function compile(extent) {
  const { project, folders } = extents[extent];
  // Those that are compiled with it.
  const within = extentNames.filter((name) => extents[name].folders.every((one) => folders.includes(one)));
  const prints = Object.fromEntries(within.map((name) => [name, buildPrint(root, name)]));
  const tsc = path.join(root, 'node_modules/typescript/bin/tsc');
  // Without a stamp nobody knows what is in there; and tsc would believe its own notes that it had written all of it.
  if (!existsSync(path.join(root, 'dist/.makercast.json')))
    rmSync(path.join(root, 'dist'), { recursive: true, force: true });
  await step('compiling makercast', process.execPath, [tsc, '-p', project], { cwd: root });
  writeStamp(root, 'build', prints);
}

/**
 * See `missing` for `wanted`. Ends the process with exit code 1 where it cannot go on.
 * @param {import('./ready.mjs').Wanted} wanted
 */
export async function install(wanted) {
  try {
    let lack = missing(wanted);
    if (lack.packages.length > 0) await installPackages(lack.packages);
    lack = missing(wanted);
    if (nothing(lack)) return;
    mustBeWritable();
    await alone('setup', async () => {
      lack = missing(wanted);
      if (lack.modules) await installModules(root);
      if (lack.fleet) await installFleet(root);
      if (lack.mutate) await installMutate(root);
      if (lack.native) await compileBinding(root);
      if (lack.build) await compile(wanted.build);
    });
    say('ready');
  } catch (error) {
    if (!(error instanceof Stop)) throw error;
    say(error.message);
    process.exit(1);
  }
}
