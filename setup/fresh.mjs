/**
 * `npm run test:fresh`: the proof that the two commands do all the set-up. In a minimal Debian with nothing but Node.js:
 * a clone of the commit, `npm start` until media arrives at a server, twice, then `npm test`.
 *
 * Options: `--debian 12` takes that release instead of the newest, `--node 22` the newest Node.js 22 of the npm registry instead of
 * the one that runs this, `--with timeline` (or that word alone) runs only that part of the tests, `--no-tests` none; `--keep` leaves
 * the folder in place. The bare Debian is kept in .cache/fresh for a week.
 */
import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { parseArgs } from 'node:util';
import { installPackages } from './apt.mjs';
import { newest, suiteOf } from './debian.mjs';
import { alone } from './install.mjs';
import { missingPackages, root } from './ready.mjs';
import { fetchNode, installNode, makeBase, open, remove } from './chroot.mjs';
import { Stop } from './run.mjs';
import { seconds, startServer, view, within } from './harness.mjs';

/** A folder with a space in its name: nothing may break on one. */
const clone = '/root/my makercast';
const firstStartMs = 15 * 60_000;
const secondStartMs = 60_000;
const stopMs = 15_000;
/** Of the 125 and 215 packets that 5 s at 25 pictures a second and 44100 Hz have. */
const least = { h264: 100, aac: 150 };

const { values: options, positionals } = parseArgs({
  options: {
    debian: { type: 'string', default: newest },
    node: { type: 'string' },
    with: { type: 'string', multiple: true, default: [] },
    'no-tests': { type: 'boolean' },
    keep: { type: 'boolean' },
  },
  allowPositionals: true,
});
/** What `npm test` is given. */
const words = [...options.with, ...positionals];

/** @typedef {Awaited<ReturnType<typeof open>>} Chroot */

const began = Date.now();
/** @param {string} line */
const say = (line) => console.log(`[fresh ${String(Math.round((Date.now() - began) / 1000)).padStart(3)} s] ${line}`);

/**
 * Plays `url` as a viewer outside of the chroot, and throws unless what arrives is a stream with picture and sound.
 * @param {string} url
 * @param {string} folder
 */
async function judge(url, folder) {
  const { arrived } = await view(url, path.join(folder, 'arrived.mkv'), secondStartMs, least);
  say(`arrived: ${arrived}`);
}

/**
 * Starts `npm start` in the chroot; `line(pattern)` waits for a line that it prints, `stop()` is Ctrl-C and what must follow.
 * @param {Chroot} chroot
 * @param {NodeJS.ProcessEnv} env
 */
function start(chroot, env = {}) {
  /** @type {string[]} */
  const lines = [];
  let look = () => {};
  const run = chroot.start(['npm', 'start'], {
    cwd: clone,
    env,
    onLine: (line) => {
      console.log(`  | ${line}`);
      lines.push(line);
      look();
    },
  });
  const died = run.exit.then((code) => Promise.reject(new Error(`npm start ended by itself with ${code}`)));
  died.catch(() => {});
  return {
    lines,
    died,
    /**
     * @param {RegExp} pattern
     * @param {number} ms
     * @returns {Promise<string>}
     */
    line: (pattern, ms) =>
      within(
        Promise.race([
          died,
          new Promise((resolve) => {
            look = () =>
              lines.some((line) => pattern.test(line)) &&
              resolve(pattern.exec(lines.find((line) => pattern.test(line)) ?? '')?.[0] ?? '');
            look();
          }),
        ]),
        ms,
        `a line with ${pattern.source}`,
      ),
    async stop() {
      const asked = Date.now();
      run.signal('SIGINT');
      const code = await within(run.exit, stopMs, 'the end after SIGINT');
      if (code !== 0) throw new Error(`after SIGINT npm start ended with ${code}, not 0`);
      const left = chroot.processes();
      if (left.length > 0) throw new Error(`after SIGINT there is left: ${left.join('; ')}`);
      say(`stopped by SIGINT in ${Date.now() - asked} ms: exit code 0, no process left`);
    },
  };
}

/**
 * Runs a command in the chroot to its end. Its closing counts, if it has any, are printed once more as a line of their own.
 * @param {Chroot} chroot
 * @param {string[]} command
 */
async function runIn(chroot, command) {
  let counts = '';
  /** @param {string} line */
  const onLine = (line) => {
    console.log(`  | ${line}`);
    if (/^\d+ passed, \d+ failed/.test(line)) counts = line;
  };
  const code = await chroot.start(command, { cwd: clone, onLine }).exit;
  if (counts) console.log(counts);
  if (code !== 0) throw new Error(`${command.join(' ')} ended with ${code}`);
}

/**
 * @param {string} folder
 * @param {Chroot} chroot
 * @param {{url: string}} server
 */
async function prove(folder, chroot, server) {
  say('npm start, with nothing configured');
  const first = start(chroot);
  const url = await first.line(/rtmp:\/\/127\.0\.0\.1:\d+\/[^\s'"]+/, firstStartMs);
  // `.ci/run` reads the sources beside what came so far. From here on real time is judged.
  await alone('checks', () => {});
  await Promise.race([judge(url, folder), first.died]);
  await first.stop();

  say('npm start again, to a server outside');
  const again = Date.now();
  const second = start(chroot, { STREAM_URL: server.url, STREAM_KEY: 'fresh' });
  await Promise.race([judge(`${server.url}/fresh`, folder), second.died]);
  say(`${((Date.now() - again) / 1000).toFixed(1)} s from npm start to ${seconds} s of media`);
  const chatter = second.lines.filter((line) => line.startsWith('set-up:'));
  if (chatter.length > 0) throw new Error(`the second start set something up again: ${chatter.join('; ')}`);
  await second.stop();

  say('npx makercast check');
  await runIn(chroot, ['npx', 'makercast', 'check']);
  if (options['no-tests']) return;
  const command = ['npm', 'test', ...(words.length > 0 ? ['--', ...words] : [])];
  say(command.join(' '));
  await runIn(chroot, command);
  const left = chroot.processes();
  if (left.length > 0) throw new Error(`npm test left running: ${left.join('; ')}`);
}

async function main() {
  if (process.getuid?.() !== 0)
    throw new Stop('A Debian root can be made and entered by root only. Run: sudo npm run test:fresh');
  const suite = suiteOf(options.debian);
  const lack = missingPackages(['fresh']);
  if (lack.length > 0) await installPackages(lack);
  const folder = mkdtempSync(path.join(tmpdir(), 'makercast-fresh-'));
  const inside = path.join(folder, 'root');
  mkdirSync(inside, { mode: 0o755 });
  /** @type {Chroot | undefined} */
  let chroot;
  /** @type {Awaited<ReturnType<typeof startServer>> | undefined} */
  let server;
  const cleanUp = async () => {
    server?.stop();
    await chroot?.close();
    if (options.keep) say(`kept: ${inside}`);
    else remove(folder);
  };
  // npm and timeout pass a signal on: it may come two or three times.
  /** @type {Promise<void> | undefined} */
  let ending;
  const end = () => (ending ??= cleanUp().finally(() => process.exit(1)));
  for (const name of ['SIGINT', 'SIGTERM']) process.on(name, end);
  try {
    say(`making a minimal Debian ${options.debian}`);
    const cache = path.join(root, '.cache/fresh');
    if (await makeBase(suite, inside, cache))
      say(`taken from ${path.relative(process.cwd(), cache)} (remove it for a new one)`);
    installNode(inside, options.node && fetchNode(options.node, folder));
    if (execFileSync('git', ['-C', root, 'status', '--porcelain'], { encoding: 'utf8' }))
      say('NOTE: only what is committed is tested, and there are changes that are not');
    execFileSync('git', ['clone', '--quiet', '--depth', '1', `file://${root}`, path.join(inside, clone)]);
    chroot = await open(inside);
    server = await startServer(folder);
    say(
      `Node.js ${execFileSync('chroot', [inside, 'node', '--version'], { encoding: 'utf8' }).trim()}, commit ${execFileSync('git', ['-C', root, 'log', '-1', '--format=%h %s'], { encoding: 'utf8' }).trim()}`,
    );
    await prove(folder, chroot, server);
    say('passed');
  } finally {
    await cleanUp();
  }
}

main().catch((error) => {
  say(`FAILED: ${error instanceof Stop ? error.message : error.stack}`);
  process.exit(1);
});
