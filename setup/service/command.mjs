/** `makercast service install | remove`: what it takes, and where it cannot work. */
import { existsSync, realpathSync } from 'node:fs';
import { nodeProblem } from '../node.mjs';
import { root } from '../ready.mjs';
import { say, Stop } from '../run.mjs';
import { hidden } from './unit.mjs';

const usage = `Usage: sudo npx makercast service <command>

  install           run now and whenever this machine starts, as a systemd service; again after an update
  remove            uninstall the service; settings and recordings stay
  remove --purge    settings, recordings and the user go too

docs/debian.md says where everything is.`;

/** What can be asked for, by its words. */
const forms = new Map([
  ['install', 'install'],
  ['remove', 'remove'],
  ['remove --purge', 'purge'],
]);

/**
 * What the words ask for: `install`, `remove` or `purge`; undefined where they ask for nothing that there is.
 * @param {string[]} words
 * @returns {string | undefined}
 */
export function wanted(words) {
  return forms.get(words.join(' '));
}

/** @param {string} path */
const isHidden = (path) => hidden.some((folder) => path === folder || path.startsWith(`${folder}/`));

/** @typedef {{isRoot: boolean, hasSystemd: boolean, node: string, root: string}} Machine */

/**
 * Why it cannot be done on this machine, and what to do; '' where it can. `node` and `root` are where Node.js and the checkout lie once
 * links are followed.
 * @param {string} what
 * @param {Machine} machine
 * @returns {string}
 */
export function refusal(what, { isRoot, hasSystemd, node, root }) {
  if (!hasSystemd)
    return 'This machine was not started by systemd (there is no /run/systemd/system). In a container, let its engine start makercast again.';
  if (!isRoot) {
    const words = [...forms.keys()].find((form) => forms.get(form) === what);
    return `Only root may change what starts with the machine. Run: sudo npx makercast service ${words}`;
  }
  if (what !== 'install') return '';
  if (isHidden(root))
    return (
      `The service cannot see ${root}: home folders are hidden from it. Clone makercast to /opt and install it from there:\n` +
      'sudo git clone https://github.com/makercast/makercast /opt/makercast && cd /opt/makercast && sudo npx makercast service install'
    );
  if (isHidden(node))
    return (
      `The service cannot see this Node.js (${node}): home folders, where nvm and the like keep it, are hidden from it.` +
      ' Install Node.js for the whole machine (docs/debian.md says how), then start again.'
    );
  return '';
}

/**
 * Does what `words` say. Ends the process with exit code 1 where it cannot, and with 2 where it does not understand.
 * @param {string[]} words
 */
export async function service(words) {
  const what = wanted(words);
  if (what === undefined) {
    const isHelp = words.length > 0 && ['help', '--help', '-h'].includes(words[0]);
    process[isHelp ? 'stdout' : 'stderr'].write(`${usage}\n`);
    process.exitCode = isHelp ? 0 : 2;
    return;
  }
  const machine = {
    isRoot: process.getuid?.() === 0,
    hasSystemd: existsSync('/run/systemd/system'),
    node: realpathSync(process.execPath),
    root: realpathSync(root),
  };
  try {
    const why = nodeProblem(process.versions.node, process.execPath) || refusal(what, machine);
    if (why) throw new Stop(why);
    const { install, remove } = await import('./installation.mjs');
    await (what === 'install' ? install(machine) : remove(what === 'purge'));
  } catch (error) {
    if (!(error instanceof Stop)) throw error;
    say(error.message);
    process.exitCode = 1;
  }
}
