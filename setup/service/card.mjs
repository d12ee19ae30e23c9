/** What is on the card: a bare Debian made into what a Raspberry Pi OS would be, and the way to a copy of this commit. */
import { execFileSync } from 'node:child_process';
import { symlinkSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { suiteOf } from '../debian.mjs';
import { root } from '../ready.mjs';
import { connect, fetchNode, installNode, makeBase, open } from '../chroot.mjs';
import { must } from './results.mjs';

/** @typedef {{debian: string, node?: string | undefined}} Choice Numbers of Debian, and of a Node.js in place of its own. */

/** What a Raspberry Pi OS has and a bare Debian has not. */
const system = ['systemd-sysv', 'dbus', 'sudo', 'procps', 'ca-certificates'];
/** How this machine reaches the registries. */
export const wayOut = Object.keys(process.env).filter((name) =>
  /^(NODE_EXTRA_CA_CERTS|SSL_CERT_FILE|https?_proxy|no_proxy)$/i.test(name),
);

/**
 * Whether Debian's own Node.js is used: that of Debian 12 is too old.
 * @param {Choice} choice
 */
export const hasOwnNode = ({ debian, node }) => debian !== '12' && node === undefined;

/**
 * What a card with Raspberry Pi OS would be: systemd, sudo, a user who may use it, and the way to a copy of this commit.
 * @param {string} folder
 * @param {Choice} choice
 * @param {(line: string) => void} say
 */
export async function prepare(folder, { debian, node }, say) {
  if (await makeBase(suiteOf(debian), folder, path.join(root, '.cache/fresh'))) say('taken from .cache/fresh');
  if (hasOwnNode({ debian, node })) connect(folder);
  else installNode(folder, node && fetchNode(node, path.dirname(folder)));
  // Nobody cuts this machine's power while it installs.
  writeFileSync(path.join(folder, 'etc/dpkg/dpkg.cfg.d/trial'), 'force-unsafe-io\n');
  const chroot = await open(folder);
  /** @param {string[]} command */
  const inside = async (...command) => {
    /** @type {string[]} */
    const lines = [];
    const env = { DEBIAN_FRONTEND: 'noninteractive' };
    const code = await chroot.start(command, { cwd: '/', env, onLine: (line) => lines.push(line) }).exit;
    must(code === 0, `${command.join(' ')} ended with ${code}:\n${lines.slice(-20).join('\n')}`);
  };
  try {
    await inside('apt-get', '-q', 'update');
    await inside('apt-get', '-qy', '--no-install-recommends', 'install', ...system);
    await inside('useradd', '--create-home', '--shell', '/bin/bash', 'pi');
  } finally {
    await chroot.close();
  }
  writeFileSync(
    path.join(folder, 'etc/sudoers.d/pi'),
    ['pi ALL=(ALL) NOPASSWD: ALL', ...wayOut.map((name) => `Defaults env_keep += ${name}`), ''].join('\n'),
  );
  // A terminal that is none; kernel modules, and udev, should a package bring it, which are the business of the machine that runs this.
  for (const name of ['console-getty', 'systemd-modules-load', 'systemd-udevd', 'systemd-udev-trigger'])
    symlinkSync('/dev/null', path.join(folder, `etc/systemd/system/${name}.service`));
  const copy = path.join(folder, 'srv/makercast');
  execFileSync('git', ['clone', '--quiet', '--depth', '1', `file://${root}`, copy]);
  writeFileSync(
    path.join(folder, 'etc/gitconfig'),
    '[url "file:///srv/makercast"]\n\tinsteadOf = https://github.com/makercast/makercast\n[safe]\n\tdirectory = *\n',
  );
}
