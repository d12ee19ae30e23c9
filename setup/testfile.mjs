/** Runs one compiled test file as a program of its own, where it can in a network of its own, and measures what it took. */
import { execFileSync, spawn } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { root } from './ready.mjs';

const reporter = path.join(root, 'setup/events.mjs');
/** Whoever is to be ended gets so long before SIGKILL. */
const graceMs = 5000;

/** @type {Set<import('node:child_process').ChildProcess>} */
const running = new Set();
/**
 * @param {import('node:child_process').ChildProcess} child
 * @param {NodeJS.Signals} signal
 */
const kill = (child, signal) => {
  if (child.pid === undefined) return;
  try {
    process.kill(-child.pid, signal);
  } catch {
    // It has just ended.
  }
};
// Each has a process group of its own, so a Ctrl-C of the terminal does not reach it by itself.
process.on('exit', () => running.forEach((child) => kill(child, 'SIGKILL')));

/**
 * What makes a network of its own look like that of a machine: a link with an address of those for benchmarks (RFC 2544), a way out
 * that leads nowhere, and a resolver that nobody answers for, so that no test can reach or depend on what is outside.
 */
const alone = [
  'ip link set lo up',
  'ip link add net0 type veth peer name net1',
  'ip addr add 198.18.0.2/30 dev net0',
  'ip link set net0 up',
  'ip link set net1 up',
  'ip route add default via 198.18.0.1',
  'mount --bind /dev/null /etc/resolv.conf',
].join(' && ');

/** @type {boolean | undefined} */
let networks;
/**
 * Whether a process of ours can have a network of its own here: as root, where the kernel lets us. Asked at the first file, since on a
 * fresh machine `ip` is only installed by then.
 */
function hasNetworks() {
  if (networks !== undefined) return networks;
  try {
    if (process.getuid?.() !== 0) throw new Error('not root');
    execFileSync('unshare', ['--net', '--mount', 'sh', '-c', alone], { stdio: ['ignore', 'ignore', 'pipe'] });
    networks = true;
  } catch (error) {
    console.log(`All files share this machine's network: ${/** @type {Error} */ (error).message.trim()}`);
    networks = false;
  }
  return networks;
}

/**
 * The words before a program. Its ports, addresses and links are its own, and what it mounts goes with it; processes that it loses
 * are waited for by tini, so that their time counts too; and all of it dies with us, however we end.
 * @param {boolean} apart
 * @returns {string[]}
 */
function wrapping(apart) {
  const reaper = ['/usr/bin/tini', '/sbin/tini'].find((file) => existsSync(file));
  const mortal = ['setpriv', '--pdeathsig', 'KILL', '--'];
  // POSIX: `times` prints the user and system time of this shell, and then that of all that it has waited for.
  const timed = [...mortal, 'sh', '-c', '"$@" 3>&-; code=$?; times >&3; exit $code', 'timed'];
  const network = ['unshare', '--net', '--mount', '--', 'sh', '-c', `${alone} && exec "$@"`, 'network'];
  return [
    ...timed,
    ...(reaper ? [reaper, '-s', '-p', 'SIGKILL', '--'] : []),
    ...mortal,
    ...(apart && hasNetworks() ? network : []),
  ];
}

/**
 * Seconds in what `times` prints ("0m1.230s"); its second line is that of the processes waited for.
 * @param {string} times
 */
function processorSeconds(times) {
  const values = [...(times.split('\n')[1] ?? '').matchAll(/(\d+)m([\d.]+)s/g)];
  return values.reduce((sum, [, minutes, rest]) => sum + Number(minutes) * 60 + Number(rest), 0);
}

/** @param {string} file */
const lines = (file) => (existsSync(file) ? readFileSync(file, 'utf8').trim().split('\n').filter(Boolean) : []);

/** @param {NodeJS.ReadableStream} stream */
async function text(stream) {
  let all = '';
  for await (const chunk of stream.setEncoding('utf8')) all += chunk;
  return all;
}

/**
 * Runs `file` (an absolute path) and ends it after `fileMs`; never rejects. `apart`: in a network of its own, where that can be had.
 * Resolves to its counts, failures in words, its report, and seconds of wall and processor (user + system) time.
 * @typedef {{file: string, counts: Record<'pass' | 'fail' | 'cancelled' | 'skipped', number>, failures: string[], report: string, wall: number, processor: number}} Outcome
 * @param {string} file
 * @param {{fileMs: number, apart: boolean}} options
 * @returns {Promise<Outcome>}
 */
export async function runFile(file, { fileMs, apart }) {
  const name = path.relative(path.join(root, 'dist'), file);
  const folder = mkdtempSync(path.join(tmpdir(), 'makercast-run-'));
  const events = path.join(folder, 'events');
  const began = performance.now();
  const reporters = ['--test-reporter=spec', '--test-reporter-destination=stdout'];
  const ours = [`--test-reporter=${reporter}`, `--test-reporter-destination=${events}`];
  const [command, ...words] = [...wrapping(apart), process.execPath, ...reporters, ...ours, file];
  const child = spawn(command, words, { cwd: root, stdio: ['ignore', 'pipe', 'pipe', 'pipe'], detached: true });
  running.add(child);
  let late = false;
  const deadline = setTimeout(() => {
    late = true;
    kill(child, 'SIGTERM');
    setTimeout(() => kill(child, 'SIGKILL'), graceMs).unref();
  }, fileMs);
  /** @type {Promise<string>} */
  const ended = new Promise((resolve) => {
    child
      .on('close', (code, signal) => resolve(signal ?? `exit code ${code}`))
      .on('error', ({ message }) => resolve(message));
  });
  const [how, stdout, stderr, times] = await Promise.all([
    ended,
    ...[child.stdout, child.stderr, child.stdio[3]].map((stream) =>
      text(/** @type {import('node:stream').Readable} */ (stream)),
    ),
  ]);
  clearTimeout(deadline);
  running.delete(child);
  const said = lines(events).map((line) => JSON.parse(line));
  rmSync(folder, { recursive: true, force: true });
  const counts = said.at(-1)?.counts ?? { pass: 0, fail: 0, cancelled: 0, skipped: 0 };
  const failures = said.flatMap(({ failure }) => failure ?? []);
  const problem = late
    ? `took longer than ${fileMs / 1000} s and was ended`
    : how !== 'exit code 0' && failures.length === 0
      ? `ended with ${how}, though no test of it failed:\n${stderr.trim().split('\n').slice(-12).join('\n')}`
      : undefined;
  if (problem) {
    failures.push(`FAILED: ${name} ${problem}`);
    if (counts.fail + counts.cancelled === 0) counts.fail += 1;
  }
  return {
    file: name,
    counts,
    failures,
    report: `${stdout}${stderr}`,
    wall: (performance.now() - began) / 1000,
    processor: processorSeconds(times),
  };
}
