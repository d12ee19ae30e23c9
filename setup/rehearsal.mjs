/**
 * What is tried in an image that was built: the machine is looked at, 5 seconds are streamed, the agent is told to stop, and
 * one that stands still is found by the watchdog.
 */
import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { createInterface } from 'node:readline';
import { startServer, view, within } from './harness.mjs';

/** @typedef {{Entrypoint: string[], Env: string[], Healthcheck: {Test: string[]}}} Config Of an image, as Docker has it. */

/** Node.js and GStreamer start slowly under emulation, and the first start scans all plugins. */
const startMs = 8 * 60_000;
const stopMs = 60_000;
/** Small enough to be encoded in real time by an emulated processor. */
const wanted = { width: 320, height: 240, fps: 10 };
/** Between two looks of the watchdog; a slow start, emulated, is not to be taken for a stop. */
const watchdogSeconds = 5;
/** Of the 50 and 234 packets (48000 / 1024 each second) that 5 s have: this tells a stream from none. */
const least = { h264: 30, aac: 150 };

/**
 * Namespaces as an engine makes them, $1 as the root. /sys is read-only, as in a container that is not privileged: the
 * devices of this machine are left alone.
 */
const enter = `
set -e
mount --make-rprivate /
mount --bind "$1" "$1"
cd "$1"
mount -t proc proc proc
mount --rbind /sys sys
mount -o remount,bind,ro sys
mount -t tmpfs -o mode=755 dev dev
for node in null:1:3 zero:1:5 full:1:7 random:1:8 urandom:1:9; do
  mknod -m 666 "dev/\${node%%:*}" c $(echo "\${node#*:}" | tr : ' ')
done
ln -s /proc/self/fd dev/fd
mkdir dev/shm
mount -t tmpfs -o mode=1777 shm dev/shm
mount -t tmpfs -o mode=1777 tmp tmp
mount -t tmpfs -o mode=755 run run
shift
exec chroot . "$@"
`;

/**
 * Runs the image's entrypoint with `words`, as the first process. Lines of its output go to `onLine`.
 * @param {string} inside
 * @param {Config} config
 * @param {string[]} words
 * @param {NodeJS.ProcessEnv} env
 * @param {(line: string) => void} onLine
 */
function start(inside, config, words, env, onLine) {
  const unshare = ['unshare', '--mount', '--pid', '--fork', '--kill-child', 'sh', '-c', enter, 'enter', inside];
  // It dies with this process, however that ends.
  const child = spawn('setpriv', ['--pdeathsig', 'KILL', '--', ...unshare, ...config.Entrypoint, ...words], {
    env: { ...envOf(config), ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  for (const stream of [child.stdout, child.stderr]) createInterface({ input: stream }).on('line', onLine);
  return { child, exit: once(child, 'close').then(([code, signal]) => code ?? signal) };
}

/** @param {number | undefined} pid */
const children = (pid) =>
  readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim().split(' ').filter(Boolean).map(Number);

/**
 * Throws unless the process has lost root for good.
 * @param {number} pid
 */
function mustBeHarmless(pid) {
  const status = readFileSync(`/proc/${pid}/status`, 'utf8');
  /** @param {string} name */
  const field = (name) => new RegExp(`^${name}:\\s*(.*)$`, 'm').exec(status)?.[1].trim() ?? '';
  if (field('Uid') !== Array(4).fill(10001).join('\t')) throw new Error(`the agent runs as ${field('Uid')}`);
  for (const set of ['CapPrm', 'CapEff', 'CapBnd', 'CapAmb']) {
    if (!/^0+$/.test(field(set))) throw new Error(`the agent has ${set} ${field(set)}`);
  }
  if (field('NoNewPrivs') !== '1') throw new Error('the agent may gain privileges');
}

/**
 * Says what a viewer gets at `url`; throws where it is no whole stream as it was wanted, or does not decode.
 * @param {string} url
 * @param {string} file
 */
async function record(url, file) {
  const { video, arrived } = await view(url, file, stopMs, least);
  if (video.width !== wanted.width) throw new Error(`what arrived is not ${wanted.width} wide: ${arrived}`);
  execFileSync('ffmpeg', ['-v', 'error', '-xerror', '-i', file, '-f', 'null', '-'], { stdio: 'inherit' });
  return arrived;
}

/**
 * Tries the image whose root is mounted at `inside`; returns what was found, a line each. Throws where something is amiss.
 * @param {{inside: string, config: Config, say: (line: string) => void}} image
 */
export async function rehearse({ inside, config, say }) {
  const folder = mkdtempSync(path.join(tmpdir(), 'makercast-rehearsal-'));
  /** @type {string[]} */
  const facts = [];
  /** @param {string} line */
  const fact = (line) => {
    facts.push(line);
    say(line);
  };
  /** @param {string} line */
  const show = (line) => console.log(`  | ${line}`);
  /** @param {string} script */
  const sh = (script) =>
    execFileSync('chroot', [inside, 'sh', '-c', script], { encoding: 'utf8', env: envOf(config) }).trim();
  /** @type {Awaited<ReturnType<typeof startServer>> | undefined} */
  let nginx;
  /** @type {ReturnType<typeof start> | undefined} */
  let agent;
  try {
    fact(
      `${sh('uname -m')}, Node.js ${sh('node --version')}, ${sh('gst-launch-1.0 --version').split('\n')[1] ?? 'GStreamer ?'}`,
    );
    fact(`compiled addon: ${addon(inside)}`);
    fact(
      `node_modules: ${sh('du -sk /app/node_modules | cut -f1')} kB, ${sh('ls /app/node_modules | wc -l')} packages; dist: ${sh('du -sk /app/dist | cut -f1')} kB`,
    );

    // What the entrypoint and the agent run must start, that is, have its libraries.
    for (const program of ['tini', 'setpriv', 'udevadm', 'modprobe', 'v4l2-ctl', 'arecord']) sh(`${program} --version`);
    const look = Date.now();
    /** @type {string[]} */
    const lines = [];
    const probe = start(inside, config, ['probe'], {}, (line) => (lines.push(line), show(line)));
    const code = await within(probe.exit, startMs, 'the end of makercast probe').finally(() =>
      probe.child.kill('SIGKILL'),
    );
    if (code !== 0) throw new Error(`makercast probe ended with ${code}`);
    fact(
      `makercast probe: exit code 0 after ${Math.round((Date.now() - look) / 1000)} s, emulated: ${lines
        .filter((line) => /enc +encodes/.test(line))
        .map((line) => line.trim().replaceAll(/ +/g, ' '))
        .join('; ')}`,
    );

    nginx = await startServer(folder);
    const env = {
      VIDEO_SOURCE: 'test',
      AUDIO_SOURCE: 'test',
      VIDEO_WIDTH: String(wanted.width),
      VIDEO_HEIGHT: String(wanted.height),
      VIDEO_FPS: String(wanted.fps),
      STREAM_URL: nginx.url,
      STREAM_KEY: 'image',
      LOG_STATUS_SECONDS: '1',
    };
    /**
     * Starts makercast and waits until it is live; `died` rejects when it ends.
     * @param {NodeJS.ProcessEnv} more
     * @param {(line: string) => void} onLine
     */
    const broadcast = async (more, onLine = () => {}) => {
      let live = () => {};
      /** @type {Promise<void>} */
      const onAir = new Promise((resolve) => (live = resolve));
      const started = start(inside, config, [], { ...env, ...more }, (line) => {
        if (!line.includes('"event":"status"')) show(line.slice(0, 400));
        if (/"actual":"live"/.test(line)) live();
        onLine(line);
      });
      agent = started;
      const died = started.exit.then((ended) => Promise.reject(new Error(`makercast ended by itself with ${ended}`)));
      died.catch(() => {});
      await Promise.race([within(onAir, startMs, 'a stream that is live'), died]);
      return { ...started, died };
    };
    const asked = Date.now();
    const { child, exit, died } = await broadcast({});
    fact(`on the air ${Math.round((Date.now() - asked) / 1000)} s after its start, emulated`);
    fact(
      `5 s of \`test\` into a file, by RTMP to an nginx outside: ${await Promise.race([record(`${nginx.url}/image`, path.join(folder, 'arrived.mkv')), died])}`,
    );

    const [first] = children(child.pid);
    const tree = [first, ...children(first)];
    if (tree.length !== 3)
      throw new Error(`beside the agent and the watchdog the init has ${tree.length - 3} children`);
    tree.forEach(mustBeHarmless);
    fact(`the init, the agent and the watchdog run as 10001, without capabilities (CapBnd 0), NoNewPrivs 1`);
    const health = execFileSync(
      'nsenter',
      ['-t', String(first), '-m', '-p', '-r', '-w', '--', ...config.Healthcheck.Test.slice(1)],
      {
        encoding: 'utf8',
        env: envOf(config),
      },
    );
    fact(`health check: exit code 0${health && ` (${health.trim()})`}`);
    const told = Date.now();
    process.kill(first, 'SIGTERM');
    const ended = await within(exit, stopMs, 'the end after SIGTERM');
    if (ended !== 0) throw new Error(`after SIGTERM makercast ended with ${ended}, not 0`);
    fact(`SIGTERM: exit code 0 after ${((Date.now() - told) / 1000).toFixed(1)} s`);

    /** @type {string[]} */
    const said = [];
    const second = await broadcast({ MAKERCAST_WATCHDOG_SECONDS: String(watchdogSeconds) }, (line) => said.push(line));
    const [init] = children(second.child.pid);
    const main = children(init).find((pid) => readFileSync(`/proc/${pid}/comm`, 'utf8').trim() === 'makercast');
    if (main === undefined) throw new Error('the init has no child that is makercast');
    const stopped = Date.now();
    process.kill(main, 'SIGSTOP');
    const killed = await within(second.exit, stopMs, 'the end of an agent that was stopped');
    const reason = said.findLast((line) => line.startsWith('watchdog: ')) ?? 'nothing';
    if (killed !== 137)
      throw new Error(`an agent that was stopped ended with ${killed}, not 137; the watchdog said: ${reason}`);
    const took = Math.round((Date.now() - stopped) / 1000);
    fact(`stopped by a signal: exit code 137 after ${took} s, with a look every ${watchdogSeconds} s (${reason})`);
    return facts;
  } finally {
    agent?.child.kill('SIGKILL');
    nginx?.stop();
    rmSync(folder, { recursive: true, force: true });
  }
}

/**
 * @param {Config} config
 * @returns {Record<string, string>}
 */
const envOf = (config) =>
  Object.fromEntries(config.Env.map((pair) => [pair.slice(0, pair.indexOf('=')), pair.slice(pair.indexOf('=') + 1)]));

/**
 * Architecture attributes of the compiled binding, as the linker noted them.
 * @param {string} inside
 */
function addon(inside) {
  const folder = path.join(inside, 'app/node_modules/gstreamer-superficial/build/Release');
  const [file] = execFileSync('find', [folder, '-name', '*.node'], { encoding: 'utf8' }).trim().split('\n');
  if (!file) throw new Error('the image holds no compiled binding');
  const header = execFileSync('readelf', ['-hA', file], { encoding: 'utf8' });
  /** @param {string} name */
  const value = (name) => new RegExp(`${name}:\\s*(.*)`).exec(header)?.[1];
  return [value('Machine'), value('Tag_CPU_arch'), value('Tag_FP_arch')].filter(Boolean).join(', ');
}
