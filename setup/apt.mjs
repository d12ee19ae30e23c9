/** Debian packages: installs them as root or with sudo where it asks for no password, otherwise says the one line to run. */
import { existsSync, readdirSync } from 'node:fs';
import { hasDpkg } from './ready.mjs';
import { quietly, say, step, Stop } from './run.mjs';

const flags = ['install', '-y', '--no-install-recommends'];
const environment = { DEBIAN_FRONTEND: 'noninteractive', DEBCONF_NOWARNINGS: 'yes' };

/**
 * @param {string} folder
 * @returns {string[]}
 */
function names(folder) {
  try {
    return readdirSync(folder);
  } catch {
    return [];
  }
}

/**
 * Makes `[command, ...arguments]` one that root runs, or null when this user may not.
 * @returns {Promise<((line: string[]) => string[]) | null>}
 */
async function asRoot() {
  if (process.getuid?.() === 0) return (line) => line;
  const sudo = await quietly('sudo', ['-n', 'true']);
  const settings = Object.entries(environment).map(([name, value]) => `${name}=${value}`);
  return sudo.code === 0 ? (line) => ['sudo', '-n', 'env', ...settings, ...line] : null;
}

/**
 * The one line that a person can paste.
 * @param {string[]} packages
 * @param {boolean} hasSudo
 */
function byHand(packages, hasSudo) {
  const line = ['apt-get update', ['apt-get', ...flags, ...packages].join(' ')];
  return hasSudo ? line.map((part) => `sudo ${part}`).join(' && ') : `su -c '${line.join(' && ')}'`;
}

/**
 * Throws Stop when they cannot be installed. `packages` are Debian's names where there is dpkg, elsewhere programs.
 * @param {string[]} packages
 */
export async function installPackages(packages) {
  if (!hasDpkg()) {
    throw new Stop(
      `This system has no Debian packages. Install what provides ${packages.join(', ')} with its own package manager` +
        ' (GStreamer 1.22 or newer with its base, good, bad, ugly and libav plugins; for the build also its headers), then start again.',
    );
  }
  const root = await asRoot();
  if (!root) {
    const { code } = await quietly('sudo', ['--version']);
    throw new Stop(
      `Debian packages are missing, and only root may install them. Run this, then start again:\n${byHand(packages, code === 0)}`,
    );
  }
  /**
   * @param {string} title
   * @param {string[]} line
   */
  const run = (title, ...line) => {
    const [command, ...args] = root(line);
    return step(title, command, args, { env: { ...process.env, ...environment } });
  };
  // Wait for another apt-get (an unattended upgrade, a second start) rather than fail.
  const wait = ['-o', 'DPkg::Lock::Timeout=300'];
  // What an installation leaves behind that was cut off.
  if (names('/var/lib/dpkg/updates').length > 0)
    await run('finishing an interrupted installation', 'dpkg', '--configure', '-a');
  await run('fetching the list of Debian packages', 'apt-get', '-q', ...wait, 'update');
  say(`Debian packages to install: ${packages.join(' ')}`);
  const nginx = packages.includes('nginx') && existsSync('/run/systemd/system');
  // The tests run an nginx of their own. The service that the package brings would take port 80 of this machine.
  if (nginx) await run('keeping the nginx service from starting', 'systemctl', 'mask', '--quiet', 'nginx.service');
  try {
    await run(
      `installing ${packages.length} Debian packages and what they need`,
      'apt-get',
      '-q',
      ...wait,
      ...flags,
      ...packages,
    );
  } finally {
    if (nginx) {
      await run('leaving the nginx service off', 'systemctl', 'unmask', '--quiet', 'nginx.service');
      await run('leaving the nginx service off', 'systemctl', 'disable', '--quiet', 'nginx.service');
      say('nginx is installed for the tests; its service stays off (to use it: systemctl enable --now nginx)');
    }
  }
}
