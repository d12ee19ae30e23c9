/** What is checked of the service: that it comes of docs/debian.md, what it must survive, and what is left once it is removed. */
import { randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { root } from '../ready.mjs';
import { view } from '../harness.mjs';
import { wayOut } from './card.mjs';
import { must } from './results.mjs';

/** @typedef {Awaited<ReturnType<typeof import('./machine.mjs').boot>>} Machine */

/**
 * @typedef {object} Subject
 * @property {Machine} machine
 * @property {string} url of the server outside
 * @property {string} folder for what arrives
 * @property {boolean} withNode whether Debian's own Node.js is installed
 * @property {ReturnType<typeof import('./results.mjs').openResults>['check']} check
 */

/** GStreamer starts slowly the first time, and the machine may be a busy one. */
const viewMs = 120_000;
/** The service is told to end within 10 s (TimeoutStopSec). */
const stopMs = 10_000;
/** Of the 50 and 215 packets that 5 s at 10 pictures a second and 44100 Hz have. */
const least = { h264: 30, aac: 150 };

const key = `trial-${randomBytes(8).toString('hex')}`;
/**
 * @param {string} url
 * @param {number} width
 */
const settings = (url, width) => `outputs:
  main:
    url: ${url}
    key: '${key}'
video:
  source: test
  width: ${width}
  height: 180
  fps: 10
audio:
  source: test
`;

/** The lines of the first block of shell in docs/debian.md. */
const documented = () => {
  const text = readFileSync(path.join(root, 'docs/debian.md'), 'utf8');
  return /```sh\n([\s\S]*?)```/.exec(text)?.[1].trim().split('\n') ?? [];
};

/**
 * What is asked of the machine over and over.
 * @param {Machine} machine
 */
function asking(machine) {
  /** @param {string[]} command */
  const ask = async (...command) => (await machine.run(command)).output.trim();
  /** @param {string} name */
  const property = (name) => ask('systemctl', 'show', '--value', '--property', name, 'makercast');
  return {
    ask,
    property,
    /** @param {string} text */
    shell: (text) => ask('sh', '-c', text),
    /** @param {string[]} command */
    must: async (...command) => {
      const { code, output } = await machine.run(command);
      must(code === 0, `${command.join(' ')} ended with ${code}: ${output.trim().split('\n').slice(-5).join(' | ')}`);
      return output.trim();
    },
    /**
     * `[number, user, command line]` of each of its processes.
     * @returns {Promise<string[][]>}
     */
    processes: async () => {
      const group = await property('ControlGroup');
      const list = await ask(
        'sh',
        '-c',
        `ps -o pid=,user:32=,args= -p "$(paste -sd, /sys/fs/cgroup${group}/cgroup.procs)"`,
      );
      return list.split('\n').map((line) => /^\s*(\d+)\s+(\S+)\s+(.*)$/.exec(line)?.slice(1) ?? []);
    },
  };
}

/**
 * Every check, one after the other; where nothing can be installed, none but the first.
 * @param {Subject} subject
 */
export async function prove({ machine, url, folder, withNode, check }) {
  const { ask, property, shell, processes, must: succeed } = asking(machine);
  /**
   * @param {string} text
   * @param {(line: string) => void} onLine
   */
  const asPi = (text, onLine = () => {}) =>
    machine.run(
      ['runuser', '-l', 'pi', ...(wayOut.length > 0 ? ['-w', wayOut.join(',')] : []), '-c', `set -e\n${text}`],
      { onLine },
    );
  const file = '/etc/makercast/makercast.yml';
  /** @param {string} text */
  const write = (text) => machine.run(['sh', '-c', `cat >${file}`], { input: text });
  const arrives = async () => view(`${url}/${key}`, path.join(folder, 'arrived.mkv'), viewMs, least);

  const lines = documented().filter((line) => !/ (nano|apt-get) /.test(line) || (withNode && / apt-get /.test(line)));
  if (!withNode) await succeed('apt-get', '-qy', '--no-install-recommends', 'install', 'git');
  let installed = false;
  await check(`docs/debian.md: ${documented().length} lines, typed by a user with sudo`, async () => {
    must(documented().length === 5, `they are ${documented().length}`);
    const { code } = await asPi(lines.join('\n'), (line) => console.log(`  | ${line}`));
    must(code === 0, `ended with ${code}`);
    installed = true;
    return `Node.js ${await ask('node', '--version')}, ${(await ask('systemctl', '--version')).split('\n')[0]}`;
  });
  if (!installed) return;

  await check('it is enabled and active', async () => {
    must((await ask('systemctl', 'is-enabled', 'makercast')) === 'enabled', 'it is not enabled');
    must((await ask('systemctl', 'is-active', 'makercast')) === 'active', 'it is not active');
  });
  await check('the settings are an example that sets nothing, for root to write and the service to read', async () => {
    const owners = await ask('stat', '-c', '%a %U:%G', '/etc/makercast', file);
    must(owners === '2750 root:makercast\n640 root:makercast', owners);
    const set = (await ask('cat', file)).split('\n').filter((line) => line.trim() && !line.startsWith('#'));
    must(set.length === 0, set.join(' | '));
  });
  await check('an edited file puts it on the air, without a restart', async () => {
    const before = await property('MainPID');
    await write(settings(url, 320));
    const { arrived } = await arrives();
    must((await property('MainPID')) === before, 'the agent is another');
    return arrived;
  });
  await check('all of it runs as a user of its own, in the groups of cameras and sound cards', async () => {
    const all = await processes();
    must(all.length >= 3, `it is ${all.length} processes, not three`);
    const others = all.filter(([, user]) => user !== 'makercast');
    must(others.length === 0, others.join('; '));
    const names = (await ask('id', '-nG', 'makercast')).split(' ');
    must(
      ['video', 'audio'].every((name) => names.includes(name)),
      names.join(' '),
    );
    const status = await shell(`cat /proc/${await property('MainPID')}/status`);
    must(/^CapBnd:\s0+$/m.test(status) && /^NoNewPrivs:\s1$/m.test(status) && /^Seccomp:\s2$/m.test(status), status);
    return all.map(([pid, , words]) => `${pid} ${words.split(' ')[0]}`).join(', ');
  });
  await check('cameras, sound cards, pins and LEDs can be reached from within, and nothing else', async () => {
    // As one of its processes but for the filter of system calls. A node without a driver: ENXIO where all that is checked before lets us in.
    const pid = await property('MainPID');
    const group = await property('ControlGroup');
    /** @param {string} text */
    const within = (text) =>
      ask(
        'sh',
        '-c',
        `echo $$ >/sys/fs/cgroup${group}/cgroup.procs; exec nsenter -t ${pid} -m setpriv --reuid=makercast --regid=makercast --init-groups sh -c '${text}' 2>&1`,
      );
    for (const node of ['video0', 'snd/pcmC0D0c']) {
      const said = await within(`: <>/dev/${node}`);
      must(/No such (device|file or device)|ENXIO/i.test(said), `/dev/${node}: ${said}`);
    }
    const memory = await within(': </dev/mem');
    must(/Permission denied/.test(memory), `/dev/mem: ${memory}`);
    const mounts = await ask('cat', `/proc/${pid}/mountinfo`);
    /** @param {string} folder */
    const mode = (folder) => {
      const line = mounts.split('\n').findLast((entry) => entry.split(' ')[4] === folder);
      return line?.split(' ')[5].split(',')[0];
    };
    must(mode('/sys/devices') === 'rw', `/sys/devices ${mode('/sys/devices')}`);
    must(mode('/') === 'ro' && mode('/var/lib/makercast') === 'rw', `/ ${mode('/')}`);
    const home = await within('ls -A /home /root');
    must(!home.split('\n').includes('pi'), home);
  });
  await check('killed, it is back on the air', async () => {
    const before = await property('MainPID');
    await ask('kill', '-KILL', before);
    await arrives();
    const now = await property('MainPID');
    must(now !== before && now !== '0', `the agent is ${now}, and was ${before}`);
    return `${await property('NRestarts')} restart`;
  });
  await check('its children killed, it is back on the air, and the agent has not been restarted', async () => {
    const agent = await property('MainPID');
    const children = (await processes()).filter(([pid]) => pid !== agent).map(([pid]) => pid);
    must(children.length >= 2, `it has ${children.length} children`);
    await ask('kill', '-KILL', ...children);
    await arrives();
    must((await property('MainPID')) === agent, 'the agent is another');
  });
  await check('an edited file is taken over on the air', async () => {
    const agent = await property('MainPID');
    await write(settings(url, 480));
    let width;
    const until = Date.now() + viewMs;
    do width = (await arrives()).video.width;
    while (width !== 480 && Date.now() < until);
    must(width === 480, `the picture is ${width} pixels wide`);
    must((await property('MainPID')) === agent, 'the agent is another');
  });
  await check('an edit that is not valid is said in the log, and changes nothing', async () => {
    await write('video: [\n');
    // journalctl is left behind until its next line; what it holds open is not ours.
    const log = 'journalctl -u makercast -f -n 200 -o cat 2>/dev/null';
    const said = await ask('timeout', '60', 'bash', '-c', `grep -m 1 settings_unreadable < <(exec ${log})`);
    must(/not YAML/.test(said), `it says: ${said}`);
    await arrives();
    await write(settings(url, 480));
  });
  await check('installed again: settings stay, nothing is set up again, and it is on the air', async () => {
    const unit = await ask('cat', '/etc/systemd/system/makercast.service');
    const { code, output } = await asPi('cd /opt/makercast\nsudo npx makercast service install');
    must(code === 0, output);
    must(!/^set-up:/m.test(output), output);
    must((await ask('cat', file)) === settings(url, 480).trim(), 'the settings have changed');
    must((await ask('cat', '/etc/systemd/system/makercast.service')) === unit, 'the unit has changed');
    await arrives();
  });
  await check('after a restart of the machine it is on the air by itself', async () => {
    await machine.reboot();
    return (await arrives()).arrived;
  });
  await check('the log is text in the journal, with priorities, and over restarts', async () => {
    const text = await ask('journalctl', '-u', 'makercast', '-o', 'cat', '--no-pager');
    must(/Output main is live/.test(text), text.slice(-2000));
    must(!/^\{"time"/m.test(text), 'there is JSON in it');
    const errors = await ask(
      'journalctl',
      '-u',
      'makercast',
      '-t',
      'makercast',
      '-p',
      'err',
      '-o',
      'cat',
      '--no-pager',
    );
    must(/not YAML/.test(errors) && !/is live/.test(errors), errors);
    return `${text.split('\n').length} lines`;
  });
  await check('the key is in no log, no property and no command line', async () => {
    /** @type {Record<string, string>} */
    const places = {
      journal: await ask('journalctl', '--no-pager', '-o', 'json'),
      'systemctl show': await ask('systemctl', 'show', 'makercast'),
      'systemctl status': await ask('systemctl', 'status', '--no-pager', '-l', 'makercast'),
      'command lines': await shell("cat /proc/[0-9]*/cmdline | tr '\\0' ' '"),
      environments: await shell("cat /proc/[0-9]*/environ | tr '\\0' ' '"),
    };
    const found = Object.keys(places).filter((place) => places[place].includes(key));
    must(found.length === 0, found.join(', '));
    must(
      Object.values(places).every((text) => text.length > 100),
      'one of the places is empty',
    );
  });
  await check('who may not read the settings, may not', async () => {
    const { code, output } = await machine.run(['runuser', '-u', 'pi', '--', 'cat', file]);
    must(code !== 0 && /Permission denied/.test(output), output);
  });
  await check('systemd-analyze finds nothing wrong with the unit', async () => {
    const said = await succeed('systemd-analyze', 'verify', '--man=no', '/etc/systemd/system/makercast.service');
    must(said === '', said);
    const security = await ask('systemd-analyze', 'security', '--no-pager', 'makercast');
    return /Overall exposure.*$/m.exec(security)?.[0] ?? security;
  });
  await check('it ends in order', async () => {
    const asked = Date.now();
    await succeed('systemctl', 'stop', 'makercast');
    const ms = Date.now() - asked;
    must(ms < stopMs, `it took ${ms} ms`);
    must((await property('Result')) === 'success', await property('Result'));
    await succeed('systemctl', 'start', 'makercast');
    return `${ms} ms`;
  });
  await check('without sudo, and from a clone in a home, it is refused at once, with what to do', async () => {
    const clone = 'git clone --quiet https://github.com/makercast/makercast\ncd makercast';
    const plain = await asPi(`${clone}\nnpx makercast service install`);
    must(plain.code === 1 && /Run: sudo npx makercast service install/.test(plain.output), plain.output);
    const home = await asPi('cd makercast\nsudo npx makercast service install');
    must(home.code === 1 && /cannot see \/home\/pi\/makercast.*\/opt/s.test(home.output), home.output);
    must(!/installing/.test(plain.output + home.output), home.output);
  });
  await check('removed, it is gone, and its settings and state stay', async () => {
    const { code, output } = await asPi('cd /opt/makercast\nsudo npx makercast service remove');
    must(code === 0 && output.includes('/etc/makercast (settings) and /var/lib/makercast'), output);
    must((await shell('ps -u makercast -o args= || true')) === '', 'processes are left');
    const left = await shell(
      'ls /etc/systemd/system/*makercast* /etc/systemd/system/*.wants/*makercast* 2>/dev/null || true',
    );
    must(left === '', left);
    must((await ask('cat', file)) === settings(url, 480).trim(), 'the settings have changed');
    must(/intent|settings/.test(await ask('ls', '/var/lib/makercast')), 'the state is gone');
    const again = await asPi('cd /opt/makercast\nsudo npx makercast service remove');
    must(again.code === 0, again.output);
  });
  await check('remove --purge leaves nothing', async () => {
    const { code, output } = await asPi('cd /opt/makercast\nsudo npx makercast service remove --purge');
    must(code === 0, output);
    const left = await shell(
      'ls -d /etc/makercast /var/lib/makercast /var/cache/makercast 2>/dev/null; getent passwd makercast; true',
    );
    must(left === '', left);
  });
}
