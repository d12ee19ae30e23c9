/** node_modules: npm ci, then the patches, then one compilation of the native addons (a patch comes too late for npm's own). */
import { copyFileSync, existsSync, mkdirSync, readFileSync, realpathSync, rmSync } from 'node:fs';
import path from 'node:path';
import { needsNetwork, offline, quietly, step, Stop } from './run.mjs';
import { fleetPrint, modulesPrint, mutatePrint, nativePrint, tools, writeStamp } from './stamps.mjs';

const binding = 'gstreamer-superficial';
/** What waits for a button at a GPIO line; used on few machines, and compiled in a second. */
const epoll = 'epoll';

/** The folder that holds `bin/node`. */
const prefix = path.dirname(path.dirname(realpathSync(process.execPath)));

/**
 * How to run npm: the one that started us, the one beside this Node.js, or the one in the PATH.
 * @returns {[command: string, first: string[]]}
 */
function npm() {
  const beside = path.join(prefix, 'lib/node_modules/npm/bin/npm-cli.js');
  const started = process.env.npm_execpath || '';
  const cli = [path.basename(started) === 'npm-cli.js' ? started : '', beside].find((file) => file && existsSync(file));
  return cli ? [process.execPath, [cli]] : ['npm', []];
}

/** Where Node's headers are, when they lie beside this Node.js and are of its release; '' makes node-gyp download them. */
function headers() {
  const file = path.join(prefix, 'include/node/node_version.h');
  if (!existsSync(file)) return '';
  const text = readFileSync(file, 'utf8');
  const [major, minor] = ['MAJOR', 'MINOR'].map(
    (part) => new RegExp(`#define NODE_${part}_VERSION (\\d+)`).exec(text)?.[1],
  );
  return process.versions.node.startsWith(`${major}.${minor}.`) ? prefix : '';
}

const plain = ['--no-audit', '--no-fund', '--no-update-notifier', '--loglevel=error'];

/**
 * @param {string} root
 * @param {string} title
 * @param {string[]} args
 */
async function runNpm(root, title, args) {
  const [command, first] = npm();
  const nodedir = headers();
  await step(title, command, [...first, ...args, ...plain], {
    cwd: root,
    env: {
      ...process.env,
      // The first name is for the node-gyp of npm up to 10, the second for later ones.
      ...(nodedir && { npm_config_nodedir: nodedir, npm_package_config_node_gyp_nodedir: nodedir }),
    },
  });
}

/**
 * Throws Stop when npm's registry is out of reach: one question tells in a second what `npm ci` needs two minutes for.
 * @param {string} root
 */
async function mustReachRegistry(root) {
  const [command, first] = npm();
  const { code, output } = await quietly(
    command,
    [...first, 'ping', '--fetch-retries=1', '--fetch-retry-mintimeout=1000', ...plain],
    { cwd: root },
  );
  // A registry that knows no ping answers too.
  if (code !== 0 && offline.test(output)) throw new Stop(needsNetwork('installing npm packages'));
}

/**
 * Installs node_modules as the lock file says and applies patches/. Runs no script of any package.
 * @param {string} root
 */
export async function installModules(root) {
  const print = modulesPrint(root);
  // First of all, lest an npm that is killed half-way leave it in place.
  rmSync(path.join(root, 'node_modules/.makercast.json'), { force: true });
  await mustReachRegistry(root);
  await runNpm(root, 'installing npm packages', ['ci', '--ignore-scripts']);
  const patch = path.join(root, 'node_modules/patch-package/index.js');
  await step('patching npm packages', process.execPath, [patch, '--error-on-fail'], { cwd: root });
  writeStamp(root, 'modules', { modules: print });
}

/**
 * Installs what a tool's own package-lock.json says in .cache/TOOL: what a device never needs. Runs no script.
 * @param {string} root
 * @param {keyof typeof tools} tool
 * @param {string} title
 * @param {string} print
 */
async function installTool(root, tool, title, print) {
  const folder = path.join(root, '.cache', tool);
  rmSync(path.join(folder, '.makercast.json'), { force: true });
  mkdirSync(folder, { recursive: true });
  for (const name of ['package.json', 'package-lock.json']) {
    copyFileSync(path.join(root, tools[tool], name), path.join(folder, name));
  }
  await mustReachRegistry(folder);
  await runNpm(folder, title, ['ci', '--ignore-scripts']);
  writeStamp(root, tool, { [tool]: print });
}

/**
 * balena-sdk: 90 MB that only the fleet tool needs.
 * @param {string} root
 */
export const installFleet = (root) =>
  installTool(root, 'fleet', 'installing balena-sdk for the fleet tool', fleetPrint(root));

/**
 * Stryker: 70 MB that only `npm run mutate` needs.
 * @param {string} root
 */
export const installMutate = (root) =>
  installTool(root, 'mutate', 'installing Stryker for the mutations', mutatePrint(root));

/**
 * Compiles the GStreamer binding for this Node.js, and loads it once to see that it works.
 * @param {string} root
 */
export async function compileBinding(root) {
  await runNpm(root, 'compiling the GStreamer binding', ['rebuild', '--ignore-scripts=false', binding, epoll]);
  const load = ['--eval', `require('${binding}')`];
  await step('loading the GStreamer binding', process.execPath, load, { cwd: root }).catch((error) => {
    if (!(error instanceof Stop)) throw error;
    throw new Stop(
      `The GStreamer binding (node_modules/${binding}) does not load after it was compiled (see above).` +
        ' Remove node_modules and start again; if that does not help, please report it with the lines above.',
    );
  });
  writeStamp(root, 'modules', { native: nativePrint() });
}
