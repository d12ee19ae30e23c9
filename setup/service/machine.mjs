/** A Debian in a folder, started by its own systemd as a machine is: but for the kernel and the network, which are this machine's. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, readdirSync, readFileSync, rmdirSync } from 'node:fs';
import path from 'node:path';
import { createInterface } from 'node:readline';
import { within } from '../harness.mjs';

/** On a machine where everything else has to wait too. */
const bootMs = 120_000;
const pollMs = 200;

/**
 * Run as the first process of the namespaces, in a control group of its own, for systemd to rule. /proc/sys is read-only, so that
 * nothing in there changes this machine's settings; /sys is not, or no service could be let write there (whoever makes the folder keeps
 * udev off). The devices that $2 names (path:major:minor:group) have nodes, and no driver.
 */
const init = `
set -e
root=$1
mount --make-rprivate /
mount --bind "$root" "$root"
mount -t tmpfs -o mode=755,nosuid dev "$root/dev"
for node in null:1:3 zero:1:5 full:1:7 random:1:8 urandom:1:9 tty:5:0; do
  mknod -m 666 "$root/dev/\${node%%:*}" c $(echo "\${node#*:}" | tr : ' ')
done
for node in $2; do
  set -- $(echo "$node" | tr : ' ')
  mkdir -p "$(dirname "$root/dev/$1")"
  mknod -m 660 "$root/dev/$1" c "$2" "$3"
  chroot "$root" chgrp "$4" "/dev/$1"
done
ln -s /proc/self/fd "$root/dev/fd"; ln -s pts/ptmx "$root/dev/ptmx"
# A node of its own: systemd gives the console to whoever logs in there.
mknod -m 600 "$root/dev/console" c 1 3
mkdir "$root/dev/pts" "$root/dev/shm"
mount -t devpts -o newinstance,ptmxmode=0666,gid=5 pts "$root/dev/pts"
for folder in dev/shm tmp; do mount -t tmpfs -o mode=1777 tmp "$root/$folder"; done
mount -t tmpfs -o mode=755 run "$root/run"
mount -t proc proc "$root/proc"
mount --bind "$root/proc/sys" "$root/proc/sys"
mount -o remount,bind,ro "$root/proc/sys"
mount -t sysfs sysfs "$root/sys"
mount -t cgroup2 cgroup2 "$root/sys/fs/cgroup"
cd "$root"
mkdir -p run/outside
pivot_root . run/outside
exec chroot . /bin/sh -c 'umount -l /run/outside; rmdir /run/outside
  exec env -i container=trial PATH=/usr/sbin:/usr/bin:/sbin:/bin LANG=C.UTF-8 /sbin/init --show-status=no'
`;

/** A control group of the second version below this process's own, wherever that hierarchy is mounted. */
function makeGroup() {
  const mount = readFileSync('/proc/self/mountinfo', 'utf8')
    .split('\n')
    .find((line) => / - cgroup2 /.test(line))
    ?.split(' ')[4];
  const own = /^0::(.*)$/m.exec(readFileSync('/proc/self/cgroup', 'utf8'))?.[1];
  if (!mount || own === undefined)
    throw new Error('this machine has no control groups of the second version (cgroup2)');
  const folder = path.join(mount, own, `makercast-trial-${process.pid}`);
  mkdirSync(folder, { recursive: true });
  return folder;
}

/**
 * Removes a control group and those in it, once the kernel is done with what ran there.
 * @param {string} folder
 */
async function removed(folder) {
  /** @param {string} one */
  const remove = (one) => {
    for (const entry of readdirSync(one, { withFileTypes: true }))
      if (entry.isDirectory()) remove(path.join(one, entry.name));
    rmdirSync(one);
  };
  for (let tries = 0; ; tries += 1) {
    try {
      return remove(folder);
    } catch (error) {
      if (/** @type {NodeJS.ErrnoException} */ (error).code !== 'EBUSY' || tries * pollMs > bootMs) throw error;
      await new Promise((resolve) => setTimeout(resolve, pollMs));
    }
  }
}

/** @param {number | undefined} pid */
const onlyChild = (pid) => Number(readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8'));

/**
 * Boots what lies in `folder`. `devices`: see `init`. `env`: for what is run in there.
 * @param {string} folder
 * @param {{devices?: string[], env?: NodeJS.ProcessEnv}} [options]
 */
export async function boot(folder, { devices = [], env = {} } = {}) {
  const group = makeGroup();
  /** @type {import('node:child_process').ChildProcess} */
  let holder;
  let first = 0;
  /** @type {Promise<unknown[]>} */
  let gone;

  /**
   * Runs a command in there as root, to its end; resolves to its exit code and all that it printed.
   * @param {string[]} command
   * @param {{cwd?: string, input?: string, onLine?: (line: string) => void}} [options]
   * @returns {Promise<{code: number | NodeJS.Signals | null, output: string}>}
   */
  function run(command, { cwd = '/', input, onLine = () => {} } = {}) {
    const enter = ['-t', String(first), '-m', '-p', '-u', '-i', '-C', '-r', '--', 'env', '-i'];
    const variables = Object.entries({
      PATH: '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin',
      HOME: '/root',
      LANG: 'C.UTF-8',
      ...env,
    }).map(([name, value]) => `${name}=${value}`);
    const child = spawn('nsenter', [...enter, ...variables, `--chdir=${cwd}`, ...command], {
      stdio: [input === undefined ? 'ignore' : 'pipe', 'pipe', 'pipe'],
    });
    child.stdin?.end(input);
    let output = '';
    for (const stream of [child.stdout, child.stderr]) {
      if (!stream) continue;
      createInterface({ input: stream }).on('line', (line) => {
        output += `${line}\n`;
        onLine(line);
      });
    }
    return new Promise((resolve) => child.once('close', (code, signal) => resolve({ code: code ?? signal, output })));
  }

  async function start() {
    // All of it dies with this process, however that ends.
    const words = ['--pdeathsig', 'KILL', '--', 'sh', '-c', 'echo $$ >"$0/cgroup.procs"; exec "$@"', group];
    const spaces = ['unshare', '--mount', '--pid', '--cgroup', '--uts', '--ipc', '--fork', '--kill-child'];
    holder = spawn('setpriv', [...words, ...spaces, 'sh', '-c', init, 'init', folder, devices.join(' ')], {
      stdio: ['ignore', 'inherit', 'inherit'],
    });
    gone = once(holder, 'close');
    const died = gone.then(([code, signal]) =>
      Promise.reject(new Error(`the machine ended at its start (${code ?? signal})`)),
    );
    died.catch(() => {});
    await within(Promise.race([died, up()]), bootMs, 'the end of its start');
  }

  /** Until systemd says that it has started whatever it starts. */
  async function up() {
    for (;;) {
      await new Promise((resolve) => setTimeout(resolve, pollMs));
      try {
        first = onlyChild(holder.pid);
        if (readFileSync(`/proc/${first}/comm`, 'utf8').trim() !== 'systemd') continue;
      } catch {
        continue;
      }
      // Until its bus is there, that fails.
      const { output } = await run(['systemctl', 'is-system-running', '--wait']);
      if (/^(running|degraded)$/m.test(output)) return;
    }
  }

  async function close() {
    holder.kill('SIGKILL');
    await gone;
    await removed(group);
  }

  await start().catch(async (error) => {
    await close();
    throw error;
  });
  return {
    run,
    /** Shuts it down in order and starts it again. */
    async reboot() {
      await run(['systemctl', 'reboot']);
      const [, signal] = await within(gone, bootMs, 'the end of the machine after systemctl reboot');
      // reboot(2): the first process of a PID namespace that restarts its machine ends by SIGHUP.
      if (signal !== 'SIGHUP') throw new Error(`the machine did not restart, it ended with ${signal}`);
      await start();
    },
    close,
  };
}
