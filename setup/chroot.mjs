/** A minimal Debian in a folder, and programs run in it as on a machine of its own (but for the kernel and the network). */
import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import {
  cpSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  realpathSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { homedir } from 'node:os';
import path from 'node:path';
import { createInterface } from 'node:readline';
import { aptOptions, aptSources, mustKnow, sourcesName } from './debian.mjs';

/** An older cached base is made again, lest it miss security updates. */
const cacheMs = 7 * 24 * 3600_000;

/** @param {string} file */
const read = (file) => (existsSync(file) ? readFileSync(file, 'utf8') : '');
/** @param {string} folder */
const list = (folder) => (existsSync(folder) ? readdirSync(folder).map((name) => path.join(folder, name)) : []);

/**
 * Makes the base of `suite` in `folder`, from `cache` (a folder) where that holds a recent one. Returns whether it did.
 * @param {string} suite
 * @param {string} folder
 * @param {string} cache
 */
export async function makeBase(suite, folder, cache) {
  const tar = path.join(cache, `${suite}-${process.arch}.tar`);
  const cached = existsSync(tar) && Date.now() - statSync(tar).mtimeMs < cacheMs;
  if (!cached) {
    mustKnow(suite);
    mkdirSync(cache, { recursive: true });
    const sources = aptSources(suite);
    const list = path.join(cache, sourcesName(sources));
    writeFileSync(list, sources);
    const options = aptOptions().map((option) => `--aptopt=${option}`);
    const args = [
      '--variant=minbase',
      '--mode=root',
      '--format=tar',
      '--quiet',
      ...options,
      suite,
      `${tar}.part`,
      ...(sources ? [list] : []),
    ];
    await finished(spawn('mmdebstrap', args, { stdio: ['ignore', 'inherit', 'inherit'] }), 'mmdebstrap');
    renameSync(`${tar}.part`, tar);
  }
  await finished(spawn('tar', ['-xf', tar, '-C', folder], { stdio: 'inherit' }), 'tar');
  return cached;
}

/**
 * The process that `pid` (unshare or nsenter) started and waits for.
 * @param {number | undefined} pid
 */
const onlyChild = (pid) => Number(read(`/proc/${pid}/task/${pid}/children`));

/**
 * @param {import('node:child_process').ChildProcess} child
 * @param {string} name
 */
async function finished(child, name) {
  const [code] = await once(child, 'close');
  if (code !== 0) throw new Error(`${name} failed with exit code ${code}`);
}

/** Where this machine keeps a Node.js: the folder with bin/node, lib/node_modules/npm and include/node. */
const hostPrefix = path.dirname(path.dirname(realpathSync(process.execPath)));

/**
 * The newest Node.js of a major version, as npm's registry has it, unpacked into `folder`; returns its prefix.
 * @param {string} major
 * @param {string} folder
 */
export function fetchNode(major, folder) {
  const name = `node-linux-${process.arch === 'arm' ? 'armv7l' : process.arch}@${major}`;
  const file = execFileSync('npm', ['pack', '--silent', '--pack-destination', folder, name], {
    encoding: 'utf8',
  }).trim();
  execFileSync('tar', ['-xzf', path.join(folder, file.split('\n').at(-1) ?? ''), '-C', folder]);
  return path.join(folder, 'package');
}

/**
 * Puts Node.js with npm and its headers into the chroot under /usr/local, and what this machine knows of the way to the registries.
 * @param {string} folder
 */
export function installNode(folder, nodePrefix = hostPrefix) {
  const local = path.join(folder, 'usr/local');
  cpSync(path.join(nodePrefix, 'bin/node'), path.join(local, 'bin/node'));
  cpSync(path.join(nodePrefix, 'include/node'), path.join(local, 'include/node'), { recursive: true });
  cpSync(path.join(hostPrefix, 'lib/node_modules/npm'), path.join(local, 'lib/node_modules/npm'), { recursive: true });
  for (const name of ['npm', 'npx'])
    symlinkSync(`../lib/node_modules/npm/bin/${name}-cli.js`, path.join(local, 'bin', name));
  connect(folder);
}

/**
 * Tells the chroot what this machine knows of the way to the registries.
 * @param {string} folder
 */
export function connect(folder) {
  /** @param {string[]} parts */
  const inside = (...parts) => path.join(folder, ...parts);
  const local = inside('usr/local');
  // Only the way to the registry; a setting such as nodedir would speak of this machine, not of the chroot.
  const npmrc = [path.join(hostPrefix, 'etc/npmrc'), path.join(homedir(), '.npmrc')].flatMap((file) =>
    read(file).split('\n'),
  );
  const way = npmrc.filter((line) => /^\s*(registry|ca|cafile|strict-ssl|proxy|https-proxy|noproxy|\/\/|@)/.test(line));
  mkdirSync(path.join(local, 'etc'), { recursive: true });
  writeFileSync(path.join(local, 'etc/npmrc'), way.join('\n') + '\n', { mode: 0o600 });

  const files = [
    '/etc/resolv.conf',
    '/etc/hosts',
    '/etc/ssl/certs/ca-certificates.crt',
    process.env.NODE_EXTRA_CA_CERTS,
  ];
  for (const file of [...files, ...list('/usr/local/share/ca-certificates')]) {
    if (file && existsSync(file)) cpSync(file, inside(file), { dereference: true });
  }
}

/** Environment of the programs in the chroot: that of a plain login, and how this machine reaches the registries. */
function environment() {
  const kept = /^(CI|TERM|NODE_EXTRA_CA_CERTS|SSL_CERT_FILE|https?_proxy|no_proxy)$/i;
  return {
    ...Object.fromEntries(Object.entries(process.env).filter(([name]) => kept.test(name))),
    HOME: '/root',
    USER: 'root',
    LANG: 'C.UTF-8',
    PATH: '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin',
  };
}

/**
 * Run by the namespace's first process. The mounts live in its mount namespace only, so they go when it goes; and it goes
 * when its standard input closes, that is, when the process that opened the chroot ends, however it ends. Waiting, the
 * shell reaps orphans as an init does.
 */
const init = `
set -e
# So that the chroot's / is a mount, as / is everywhere else: unshare and ip netns insist on it.
mount --bind "$1" "$1"
mount -t tmpfs -o mode=755 dev "$1/dev"
mknod -m 666 "$1/dev/null" c 1 3; mknod -m 666 "$1/dev/zero" c 1 5; mknod -m 666 "$1/dev/full" c 1 7
mknod -m 666 "$1/dev/random" c 1 8; mknod -m 666 "$1/dev/urandom" c 1 9; mknod -m 666 "$1/dev/tty" c 5 0
ln -s /proc/self/fd "$1/dev/fd"; ln -s pts/ptmx "$1/dev/ptmx"
mkdir "$1/dev/pts" "$1/dev/shm"
mount -t devpts -o newinstance,ptmxmode=0666 pts "$1/dev/pts"
mount -t tmpfs -o mode=1777 shm "$1/dev/shm"
mount -t tmpfs -o mode=755 run "$1/run"
mount -t proc proc "$1/proc"
mount -t sysfs sysfs "$1/sys"
exec 3<&0
exec chroot "$1" /bin/sh -c 'cat <&3 >/dev/null & echo open; wait $!'
`;

/**
 * Opens the chroot: a process tree of its own. Close it before its folder is removed.
 * @param {string} folder
 */
export async function open(folder) {
  const unshare = ['--mount', '--pid', '--fork', '--kill-child', 'sh', '-c', init, 'init', folder];
  const holder = spawn('unshare', unshare, { stdio: ['pipe', 'pipe', 'inherit'] });
  const opened = await Promise.race([once(holder.stdout, 'data'), once(holder, 'close').then(() => null)]);
  if (!opened) throw new Error('the namespaces of the chroot cannot be made (see above)');
  const first = onlyChild(holder.pid);
  const namespace = readlinkSync(`/proc/${first}/ns/pid`);

  return {
    /**
     * Starts a program in a session of its own, as a terminal would; `onLine` gets what it prints.
     * @param {string[]} command
     * @param {{cwd: string, env?: NodeJS.ProcessEnv, onLine: (line: string) => void}} options
     */
    start(command, { cwd, env = {}, onLine }) {
      const args = ['-t', String(first), '-m', '-p', '-r', '--', 'setsid', 'env', `--chdir=${cwd}`, ...command];
      const child = spawn('nsenter', args, {
        env: { ...environment(), ...env },
        stdio: ['ignore', 'pipe', 'pipe'],
      });
      for (const stream of [child.stdout, child.stderr]) createInterface({ input: stream }).on('line', onLine);
      /** @type {Promise<number | NodeJS.Signals | null>} */
      const exit = new Promise((resolve) =>
        child.once('close', (code, signal) => resolve(code === null ? signal : code)),
      );
      return {
        exit,
        /**
         * What Ctrl-C does: a signal to the whole group.
         * @param {NodeJS.Signals} name
         */
        signal: (name) => process.kill(-onlyChild(child.pid), name),
      };
    },

    /** Command lines of what runs in there beside the two programs that hold the chroot open. */
    processes() {
      return readdirSync('/proc')
        .filter((pid) => {
          try {
            const parent = / \(?.*\) (\S) (\d+)/.exec(read(`/proc/${pid}/stat`));
            const ours =
              Number(pid) === first ||
              (parent && Number(parent[2]) === first && read(`/proc/${pid}/comm`).trim() === 'cat');
            return (
              /^\d+$/.test(pid) && readlinkSync(`/proc/${pid}/ns/pid`) === namespace && !ours && parent?.[1] !== 'Z'
            );
          } catch {
            return false; // It has just ended.
          }
        })
        .map((pid) => read(`/proc/${pid}/cmdline`).replace(/\0/g, ' ').trim());
    },

    /** Ends everything in there; its mounts go with it. */
    async close() {
      const gone = once(holder, 'close');
      holder.stdin.end();
      await gone;
    },
  };
}

/**
 * Removes the folder of a chroot. Never crosses into another file system: the folder holds no mount once the chroot is closed.
 * @param {string} folder
 */
export const remove = (folder) => rmSync(folder, { recursive: true, force: true });
