/** Installs the service on this machine, and removes it. What is there already is kept or written again, so that installing again is an update. */
import { chmodSync, chownSync, existsSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { ready } from '../ready.mjs';
import { quietly, say, Stop } from '../run.mjs';
import { groups, name, unitText } from './unit.mjs';

const unitFile = `/etc/systemd/system/${name}.service`;
const settingsFolder = `/etc/${name}`;
const settingsFile = `${settingsFolder}/makercast.yml`;
const dataFolder = `/var/lib/${name}`;
const cacheFolder = `/var/cache/${name}`;
/** @typedef {{uid: number, gid: number}} Account */

/** Numbers from here on are people's (login.defs(5), UID_MIN). */
const firstPerson = 1000;

/**
 * Runs a program of the system; throws Stop with what it said where it fails.
 * @param {string} command
 * @param {string[]} args
 */
async function run(command, ...args) {
  const { code, output } = await quietly(command, args);
  if (code !== 0) throw new Stop(`${[command, ...args].join(' ')} failed with exit code ${code}:\n${output.trimEnd()}`);
}

/**
 * Numbers of the service's user and group; undefined where there is no such user.
 * @returns {Account | undefined}
 */
function account() {
  const line = readFileSync('/etc/passwd', 'utf8')
    .split('\n')
    .find((entry) => entry.startsWith(`${name}:`));
  const [, , uid, gid] = line?.split(':') ?? [];
  return line === undefined ? undefined : { uid: Number(uid), gid: Number(gid) };
}

/** @returns {Promise<Account>} */
async function makeUser() {
  if (!account()) {
    const properties = ['--system', '--user-group', '--no-create-home', '--home-dir', dataFolder];
    await run('useradd', ...properties, '--shell', '/usr/sbin/nologin', name);
  }
  const user = account();
  if (!user) throw new Stop(`useradd did not create the user ${name}.`);
  if (user.uid >= firstPerson)
    throw new Stop(
      `The user ${name} of this machine belongs to a person (uid ${user.uid}), but the service needs a system user of that name.` +
        ` Rename that user (usermod --login NEWNAME ${name}), then start again.`,
    );
  const known = readFileSync('/etc/group', 'utf8');
  const present = groups.filter((group) => new RegExp(`^${group}:`, 'm').test(known));
  await run('usermod', '--append', '--groups', present.join(','), name);
  return user;
}

/**
 * The example with everything in it commented out.
 * @param {string} example
 */
export const commented = (example) => example.replaceAll(/^(?=[^#\n])/gm, '# ');

/**
 * @param {string} root
 * @param {Account} user
 */
function makeSettings(root, { gid }) {
  mkdirSync(settingsFolder, { recursive: true });
  chownSync(settingsFolder, 0, gid);
  // It holds keys. Set-group-ID: what an editor puts in the place of a file there has the service's group too.
  chmodSync(settingsFolder, 0o2750);
  if (existsSync(settingsFile)) return;
  const example = readFileSync(path.join(root, 'makercast.example.yml'), 'utf8');
  const text = example.replace(
    /^# Copy to .*?;/,
    '# Settings of the makercast service. Take the # away from what you need;',
  );
  writeFileSync(settingsFile, commented(text), { mode: 0o640 });
}

/**
 * Runs a program as the service's user.
 * @param {string} command
 * @param {string[]} args
 */
const asUser = (command, args) => {
  const drop = [`--reuid=${name}`, `--regid=${name}`, '--init-groups', '--inh-caps=-all', '--'];
  return quietly('setpriv', [...drop, command, ...args], {
    cwd: settingsFolder,
    env: { PATH: process.env.PATH, MAKERCAST_DATA: dataFolder, XDG_CACHE_HOME: cacheFolder },
  });
};

/**
 * GStreamer looks into each of its plugins the first time and remembers what it found. On a slow board that takes longer than the agent
 * gives a child that is silent, so it is done here, where nothing waits for it.
 * @param {Account} user
 */
async function scanPlugins({ uid, gid }) {
  mkdirSync(cacheFolder, { recursive: true });
  chownSync(cacheFolder, uid, gid);
  // Where this fails the agent says what is missing.
  await asUser('gst-inspect-1.0', ['fakesink']);
}

/**
 * As the service will: reads the program and the settings. Throws Stop where it may not; says what is wrong with the settings.
 * @param {{node: string, root: string}} machine
 */
async function tryAsUser({ node, root }) {
  const program = path.join(root, 'dist/agent/main.js');
  const { code, output } = await asUser(node, [program, 'check']);
  if (code === 0) return;
  if (code === 2) return output.trimEnd().split('\n').forEach(say);
  throw new Stop(
    `The user ${name}, as whom the service runs, cannot run ${program}:\n${output.trimEnd().split('\n').slice(-5).join('\n')}\n` +
      `Perhaps it may not read it. Then run: sudo chmod -R go+rX ${JSON.stringify(root)}`,
  );
}

/** @param {string} text */
function writeUnit(text) {
  // Renamed into place: a power cut leaves the old one or the new one.
  writeFileSync(`${unitFile}.new`, text, { mode: 0o644 });
  renameSync(`${unitFile}.new`, unitFile);
}

/**
 * `node`, `root`: as `refusal` has them.
 * @param {{node: string, root: string}} machine
 */
export async function install({ node, root }) {
  await ready({ packages: ['runtime'], native: true, build: 'start', fleet: false });
  const user = await makeUser();
  makeSettings(root, user);
  await tryAsUser({ node, root });
  await scanPlugins(user);
  writeUnit(unitText({ node, root }));
  await run('systemctl', 'daemon-reload');
  await run('systemctl', 'enable', '--quiet', name);
  await run('systemctl', 'restart', name);
  process.stdout.write(
    `makercast is running, and starts with this machine.\n` +
      `  settings    ${settingsFile} (edits are applied at once)\n` +
      `  recordings  ${dataFolder}/recordings\n` +
      `  log         journalctl -u ${name} -f\n`,
  );
}

/**
 * `purge`: settings, recordings and user too. If nothing is installed it does nothing, without an error.
 * @param {boolean} purge
 */
export async function remove(purge) {
  if (existsSync(unitFile)) {
    await run('systemctl', 'disable', '--quiet', '--now', name);
    rmSync(unitFile);
    await run('systemctl', 'daemon-reload');
  }
  // It may have failed before, which systemd would go on telling.
  await quietly('systemctl', ['reset-failed', name]);
  const kept = [settingsFolder, dataFolder].filter((folder) => existsSync(folder));
  if (!purge) {
    const what =
      kept.length > 0 ? ` ${kept.join(' (settings) and ')} (state, recordings) stay; remove --purge removes them.` : '';
    process.stdout.write(`makercast no longer starts with this machine.${what}\n`);
    return;
  }
  for (const folder of [...kept, cacheFolder]) rmSync(folder, { recursive: true, force: true });
  const user = account();
  if (user && user.uid < firstPerson) await run('userdel', name);
  process.stdout.write('makercast no longer starts with this machine; its settings, recordings and user are gone.\n');
}
