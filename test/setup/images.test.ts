/** The container images: what balena and Docker read of them is sound, and the entrypoint does what it promises. */
import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import { mkdir, readdir, readFile, stat, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { describe, test } from 'node:test';
import { pathToFileURL } from 'node:url';
import { parse } from 'yaml';
import { folderFor, freePorts, run } from '../helpers/command.js';
import { until } from '../helpers/feed.js';
import { noNamespaces } from '../helpers/network/namespace.js';
import { processInfo, type ProcessInfo } from '../helpers/agent/processes.js';
import { root } from '../helpers/root.js';
import { balenaProblems } from './compose.js';
import { startContainer, type Container } from './container.js';

const read = (file: string): string => readFileSync(path.join(root, file), 'utf8');
const version = (JSON.parse(read('package.json')) as { version: string }).version;
/** Each with its base, by what Node.js has for its boards. */
const bases: Readonly<Record<string, string>> = {
  'Dockerfile.template': 'node:24-trixie-slim',
  // Nobody has Node.js 24 for 32 bits, nor the images of 22 on Debian 13 ARMv7: Debian's own.
  'Dockerfile.armv7hf': 'debian:trixie-slim',
  // The last line that has ARMv6 at all.
  'Dockerfile.rpi': 'node:22-alpine3.23',
};
const dockerfiles = Object.keys(bases);
const ofDebian = dockerfiles.filter((file) => bases[file]!.includes('trixie'));
/** The one that the entrypoint drops to. */
const uid = 10001;

describe('docker-compose.yml', () => {
  const text = read('docker-compose.yml');

  test('keeps to what balena takes of Compose', () => assert.deepEqual(balenaProblems(text), []));

  test('and what it does not take is found', () => {
    const wrong: readonly (readonly [string, string, RegExp])[] = [
      ["version: '2.4'", "version: '3.8'", /version/],
      ['privileged: true', 'privileged: true\n    env_file: .env', /env_file/],
      ['privileged: true', 'privileged: true\n    container_name: x', /container_name/],
      ['privileged: true', 'privileged: true\n    deploy: {}', /deploy/],
      ["'80:8080'", "'${PORT}:8080'", /\$\{PORT\}/],
      ['makercast-data:/data', '/var/lib:/data', /volume/],
      ['makercast-data:/data', './data:/data', /volume/],
      ['makercast-data:/data', 'other:/data', /volume/],
      ['io.balena.features.kernel-modules', 'io.balena.features.kernel_modules', /label/],
    ];
    for (const [from, to, expected] of wrong) {
      assert.ok(text.includes(from), from);
      assert.match(balenaProblems(text.replace(from, to)).join('\n'), expected);
    }
  });

  test('is one service with what makercast needs of the host', () => {
    const { services } = parse(text) as { services: Record<string, Record<string, unknown>> };
    const [service, ...further] = Object.values(services);
    assert.equal(further.length, 0);
    // For the page to come: nothing listens there yet, and a fleet's devices keep what they publish over the release that brings it.
    assert.deepEqual(service!['ports'], ['80:8080']);
    assert.equal(service!['privileged'], true);
    assert.deepEqual(service!['labels'], {
      'io.balena.features.supervisor-api': '1',
      'io.balena.features.kernel-modules': '1',
      'io.balena.features.requires.sw.balena-os': '>=6.5.24+rev4',
    });
    // A fixed Dockerfile would be built for every architecture: the builder chooses only where none is named.
    assert.deepEqual(service!['build'], { context: '.' });
  });
});

test('docker-compose.dev.yml has the agent, a server and a broker, and declares what it mentions', () => {
  const file = parse(read('docker-compose.dev.yml')) as {
    services: Record<string, { build?: { dockerfile: string }; configs?: { source: string }[]; volumes?: string[] }>;
    volumes: object;
    configs: object;
  };
  assert.deepEqual(Object.keys(file.services), ['makercast', 'rtmp', 'mqtt']);
  for (const { build, configs = [], volumes = [] } of Object.values(file.services)) {
    if (build) assert.ok(existsSync(path.join(root, build.dockerfile)));
    for (const { source } of configs) assert.ok(source in file.configs, source);
    for (const volume of volumes) assert.ok(volume.split(':')[0]! in file.volumes, volume);
  }
});

describe('balena.yml', () => {
  interface Asset {
    type: string;
    data: { url: string };
  }
  interface Blueprint {
    [key: string]: unknown;
    version: string;
    description: string;
    assets: { repository: Asset; logo: Asset };
    data: {
      applicationConfigVariables: Record<string, string | number>[];
      defaultDeviceType: string;
      supportedDeviceTypes: string[];
    };
  }
  const text = read('balena.yml');
  const blueprint = parse(text) as Blueprint;

  test('has the keys that balena knows, and the version of package.json', () => {
    assert.deepEqual(Object.keys(blueprint), ['type', 'name', 'version', 'description', 'assets', 'data']);
    assert.equal(blueprint['type'], 'sw.application');
    assert.equal(blueprint['name'], 'makercast');
    assert.equal(blueprint.version, version);
    assert.deepEqual(Object.keys(blueprint.assets), ['repository', 'logo']);
    for (const asset of Object.values(blueprint.assets)) {
      assert.equal(asset.type, 'blob.asset');
      assert.equal(new URL(asset.data.url).protocol, 'https:');
    }
    assert.deepEqual(Object.keys(blueprint.data), [
      'applicationConfigVariables',
      'defaultDeviceType',
      'supportedDeviceTypes',
    ]);
  });

  test('sets one value a configuration variable, and no stream key or other stand-in', () => {
    const variables = blueprint.data.applicationConfigVariables;
    for (const variable of variables) {
      const [[name, value] = ['', ''], ...further] = Object.entries(variable);
      assert.equal(further.length, 0);
      assert.match(name, /^BALENA_HOST_CONFIG_[a-z_]+$/);
      // A comma-joined value has made devices reboot for ever.
      assert.match(String(value), /^[\w-]+$/);
    }
    assert.deepEqual(Object.assign({}, ...variables), {
      BALENA_HOST_CONFIG_gpu_mem: 128,
      BALENA_HOST_CONFIG_start_x: 1,
    });
    const values = text.replaceAll(/#.*/g, '');
    assert.doesNotMatch(values, /example|placeholder|change-?me|your[-_ ]|todo|<[^>]+>|:\s*(''|"")\s*$/im);
    assert.match(text, /# The camera stack is/);
  });

  test('names device types that there is an image for, and files that exist', () => {
    const { defaultDeviceType, supportedDeviceTypes } = blueprint.data;
    assert.ok(supportedDeviceTypes.includes(defaultDeviceType));
    assert.deepEqual(supportedDeviceTypes, [
      'raspberry-pi',
      'raspberrypi3',
      'raspberrypi3-64',
      'raspberrypi0-2w-64',
      'raspberrypi4-64',
    ]);
    // The builder's own order: Dockerfile.<device type>, Dockerfile.<architecture>, Dockerfile.template, Dockerfile.
    const architectures: Readonly<Record<string, string>> = {
      'raspberry-pi': 'rpi',
      raspberrypi3: 'armv7hf',
      'raspberrypi3-64': 'aarch64',
      'raspberrypi0-2w-64': 'aarch64',
      'raspberrypi4-64': 'aarch64',
    };
    const taken = supportedDeviceTypes.map((type) =>
      [type, architectures[type], 'template']
        .map((name) => `Dockerfile.${name}`)
        .find((file) => existsSync(path.join(root, file))),
    );
    assert.deepEqual(taken, [
      'Dockerfile.rpi',
      'Dockerfile.armv7hf',
      'Dockerfile.template',
      'Dockerfile.template',
      'Dockerfile.template',
    ]);
    assert.equal(new Set(taken).size, dockerfiles.length);
    const logo = /\/main\/(.+)$/.exec(blueprint.assets.logo.data.url)?.[1];
    assert.ok(logo && existsSync(path.join(root, logo)), logo);
    const repository = blueprint.assets.repository.data.url;
    assert.ok(blueprint.assets.logo.data.url.includes(new URL(repository).pathname));
    const button = `https://dashboard.balena-cloud.com/deploy?repoUrl=${repository}`;
    assert.ok(read('README.md').includes(`(${button})`), `README.md has no button with ${button}`);
  });
});

describe('Dockerfiles', () => {
  /** The stages' texts without comments, continued lines joined. */
  const stages = (file: string): string[] =>
    read(file)
      .replaceAll(/^#.*\n/gm, '')
      .replaceAll('\\\n', ' ')
      .split(/^(?=FROM )/m)
      .filter((stage) => stage.startsWith('FROM '));

  for (const file of dockerfiles) {
    test(`${file}: two stages of ${bases[file]}; nothing of the first but the application is in the second`, () => {
      const [build = '', final = '', ...further] = stages(file);
      assert.equal(further.length, 0);
      assert.ok(build.startsWith(`FROM ${bases[file]} AS build\n`), build);
      assert.ok(final.startsWith(`FROM ${bases[file]}\n`), final);
      const copies = final.match(/^COPY --from=build .*/gm) ?? [];
      assert.deepEqual(
        copies.map((line) => line.split(' ').pop()),
        ['/app/package.json', '/app/node_modules', '/app/dist'],
      );
      assert.match(build, /npm prune --omit=dev/);
      assert.doesNotMatch(final, /g\+\+|python3|-dev\b|npm /);
      assert.doesNotMatch(final, /^USER /m);
      for (const line of ['HEALTHCHECK', 'STOPSIGNAL SIGTERM', 'ENTRYPOINT ["makercast"]']) {
        assert.ok(final.includes(`\n${line}`), line);
      }
      assert.match(final, /MAKERCAST_DATA=\/data\b/);
    });

    test(`${file} does the same as the others, but for the base and its packages`, () => {
      /** Without the base, what installs packages, and where that base has its headers. */
      const steps = (name: string): string[] =>
        stages(name)
          .join('')
          .replaceAll(/^(FROM .*|RUN (apt-get|apk|sh \/tmp\/system\.sh) .*|COPY .* \/tmp\/)\n/gm, '')
          .replaceAll(/(nodedir=)\S+/g, '$1')
          .split('\n')
          .filter((line) => line !== '');
      assert.deepEqual(steps(file), steps(dockerfiles[0]!));
      assert.ok(steps(file).length > 20);
    });

    test(`${file} copies only what .dockerignore lets through, and that exists`, () => {
      const allowed = read('.dockerignore')
        .split('\n')
        .filter((line) => line.startsWith('!'))
        .map((line) => line.slice(1));
      const sources = stages(file)
        .join('')
        .split('\n')
        .filter((line) => line.startsWith('COPY ') && !line.includes('--from='))
        .flatMap((line) => line.split(/\s+/).slice(1, -1));
      assert.ok(sources.length > 5);
      for (const source of sources) {
        assert.ok(existsSync(path.join(root, source)), source);
        assert.ok(
          allowed.some((entry) => source === entry || source.startsWith(`${entry}/`)),
          `${source} is left out by .dockerignore`,
        );
      }
    });
  }

  test('balena-sdk, 90 MB for an admin’s machine, is nowhere in what the images are built from', () => {
    for (const file of ['package.json', 'package-lock.json', '.dockerignore', ...dockerfiles]) {
      assert.doesNotMatch(read(file), /balena-sdk|fleet|\.cache/, file);
    }
    assert.match(read('fleet/package.json'), /"balena-sdk": "\d+\.\d+\.\d+"/);
  });

  test('those of Debian install every package that a build and a run need, and their own Node.js where the base has none', async () => {
    const { packages } = (await import(pathToFileURL(path.join(root, 'setup/packages.mjs')).href)) as {
      packages: Record<string, Record<string, string>>;
    };
    const installed = (text: string): string[] =>
      /--no-install-recommends (?:"\$@" )?([^&]*?)(?:&&|\nsh )/
        .exec(text)![1]!
        .split(/\s+/)
        .filter((word) => word !== '')
        .sort();
    const system = installed(read('image/system.sh').replaceAll('\\\n', ' '));
    // Recommended only, and without it no sensor of a PiCam can be driven: libcamera-ipa.
    const further =
      'gstreamer1.0-libcamera kmod libcamera-ipa libcamera-tools systemd-standalone-sysusers tini udev'.split(' ');
    assert.deepEqual(system, [...new Set([...Object.keys(packages['runtime']!), ...further])].sort());
    for (const file of ofDebian) {
      const [build = '', final = ''] = stages(file);
      const hasNode = bases[file]!.startsWith('node:');
      assert.deepEqual(
        installed(build),
        [...Object.keys(packages['build']!), ...(hasNode ? [] : ['nodejs', 'npm'])].sort(),
      );
      assert.ok(final.includes(`\nRUN sh /tmp/system.sh${hasNode ? '' : ' nodejs'} && `), final);
    }
  });

  test('each system has the user that the entrypoint drops to', () => {
    for (const text of [read('image/system.sh'), read('Dockerfile.rpi'), read('image/entrypoint.sh')])
      assert.match(text, new RegExp(`\\b${uid}\\b`));
  });
});

test('a day on which Debian’s archive lacks what its index names is told from a build that fails', async () => {
  const { lackOf } = (await import(pathToFileURL(path.join(root, 'setup/standin.mjs')).href)) as {
    lackOf: (name: string, output?: string) => Error | undefined;
  };
  const missing =
    'E: Failed to fetch http://mirror.example/debian/pool/main/g/glibc/libc-bin_2.41-12_armel.deb  404  Not Found';
  assert.match(
    lackOf('armel', `Err:1 …\n${missing}\nE: Unable to fetch some archives`)!.message,
    /^armel: .*libc-bin_2\.41-12_armel/,
  );
  assert.equal(lackOf('armel', 'E: Unable to locate package makercast'), undefined);
  assert.equal(
    lackOf('armel', 'E: Failed to fetch http://mirror.example/debian/dists/trixie/InRelease  Connection timed out'),
    undefined,
  );
});

test('every element of a pipeline is in a plugin that stays in the image', async () => {
  const golden = path.join(root, 'test/pipelines/golden');
  const texts = (await readdir(golden)).map((file) => readFileSync(path.join(golden, file), 'utf8'));
  const probes = readFileSync(path.join(root, 'pipelines/probe.ts'), 'utf8');
  // Words that stand where an element stands; whatever gst-inspect does not know is none, or not installed here.
  const words = new Set(
    [...texts, probes].flatMap((text) => [...text.matchAll(/(?:^|! |')([a-z][a-z0-9]+)\b/gm)]).map(([, word]) => word!),
  );
  const kept = new Set(/^plugins='([^']*)'/m.exec(read('image/lean-system.sh'))![1]!.trim().split(/\s+/));
  const found: string[] = [];
  await Promise.all(
    [...words].map(async (word) => {
      const { code, stdout } = await run('gst-inspect-1.0', [word], { mayFail: true });
      const plugin = code === 0 ? /^\s*Filename\s+.*\/libgst(\w+)\.so$/m.exec(stdout.toString())?.[1] : undefined;
      if (plugin === undefined) return;
      found.push(word);
      assert.ok(kept.has(plugin), `${word} is in the plugin ${plugin}, which image/lean-system.sh takes out`);
    }),
  );
  for (const element of [
    'videotestsrc',
    'x264enc',
    'flvmux',
    'rtmp2sink',
    'v4l2src',
    'alsasrc',
    'decodebin',
    'clockoverlay',
  ]) {
    assert.ok(found.includes(element), `${element} was not looked up: ${found.join()}`);
  }
});

describe('the entrypoint', { skip: noNamespaces() }, () => {
  const field = (pid: number, name: string): string =>
    new RegExp(`^${name}:[ \\t]*(.*)$`, 'm').exec(readFileSync(`/proc/${pid}/status`, 'utf8'))![1]!.trim();

  /** Nobody listens there: the agent works, and its output waits. */
  const environment = async (): Promise<Record<string, string>> => {
    const [port] = await freePorts(1);
    return {
      VIDEO_SOURCE: 'test',
      AUDIO_SOURCE: 'test',
      LOG_STATUS_SECONDS: '1',
      STREAM_URL: `rtmp://127.0.0.1:${port}/live`,
      STREAM_KEY: 'image',
    };
  };

  /** A container with `data` in `folder` as its /data. */
  const started = async (
    folder: string,
    { privileged = false, env }: { privileged?: boolean; env?: Record<string, string> } = {},
  ): Promise<Container> =>
    startContainer(folder, { privileged, data: path.join(folder, 'data'), env: env ?? (await environment()) });

  const mainOf = ({ agent, first }: Container): ProcessInfo => {
    const main = agent.processes().find((item) => item.command.startsWith('makercast') && item.parent === first);
    assert.ok(main, 'the agent is a child of the init');
    return main;
  };

  const watchdogOf = ({ agent, first }: Container): ProcessInfo => {
    const watchdog = agent.processes().find((item) => item.command.includes('makercast-health watch'));
    assert.equal(watchdog?.parent, first, 'the watchdog is a child of the init');
    return watchdog;
  };

  test('drops root for good, prepares /data and the lock folder, and passes SIGTERM on', async (t) => {
    const folder = await folderFor(t);
    const data = path.join(folder, 'data');
    await mkdir(data);
    await writeFile(path.join(data, 'makercast.yml'), 'video:\n  width: 640\n  height: 480\n');
    const container = await started(folder);
    await using agent = container.agent;
    const { video } = await agent.status((status) => status['video'] !== undefined);
    assert.match(JSON.stringify(video), /640/, 'settings are read from /data/makercast.yml');

    const main = mainOf(container);
    const capture = await agent.descendant('capture');
    const watchdog = watchdogOf(container);
    for (const pid of [container.first, main.pid, capture.pid, watchdog.pid]) {
      assert.equal(field(pid, 'Uid'), Array(4).fill(uid).join('\t'));
      assert.equal(field(pid, 'Gid'), Array(4).fill(uid).join('\t'));
      for (const set of ['CapInh', 'CapPrm', 'CapEff', 'CapBnd', 'CapAmb']) {
        assert.match(field(pid, set), /^0+$/, `${set} of ${pid}`);
      }
      assert.equal(field(pid, 'NoNewPrivs'), '1');
    }
    // No shell in between: the first process is the init itself.
    assert.match(processInfo(container.first)!.command, /^tini -- node /);
    // balenaOS numbers audio 29 and video 44; gpio is the image's.
    const groups = field(main.pid, 'Groups').split(' ');
    for (const group of ['29', '44', '997']) assert.ok(groups.includes(group), `group ${group} of ${groups.join()}`);
    assert.ok(!groups.includes('0'));
    assert.equal(field(watchdog.pid, 'Groups'), '', 'the watchdog needs none');

    for (const kept of [data, path.join(data, 'cache'), path.join(data, 'settings.json')]) {
      assert.equal((await stat(kept)).uid, uid, kept);
    }
    const lock = await container.exec('stat', '-c', '%u', '/tmp/balena');
    assert.equal(lock.stdout.toString().trim(), String(uid));
    const left = await container.exec('ls', '/tmp');
    assert.doesNotMatch(left.stdout.toString(), /makercast-run-1-left/);

    process.kill(container.first, 'SIGTERM');
    const { code } = await agent.end();
    assert.equal(code, 0);
    await agent.gone();
  });

  test('a second container goes on with what the first has kept, and another user cannot read it', async (t) => {
    const folder = await folderFor(t);
    const data = path.join(folder, 'data');
    const env = await environment();
    {
      const container = await started(folder, { env });
      await using agent = container.agent;
      await agent.status();
      process.kill(container.first, 'SIGTERM');
      await agent.end();
    }
    const before = await readFile(path.join(data, 'settings.json'), 'utf8');
    assert.equal((await stat(path.join(data, 'settings.json'))).mode & 0o077, 0);
    // A setting that is not valid does not end a supervised agent: it falls back to what the volume holds.
    const container = await started(folder, { env: { ...env, VIDEO_WIDTH: 'wide' } });
    await using agent = container.agent;
    const status = await agent.status(({ actual }) => actual === 'degraded');
    assert.match(JSON.stringify(status.problems), /wide|VIDEO_WIDTH/);
    assert.equal(await readFile(path.join(data, 'settings.json'), 'utf8'), before);
    process.kill(container.first, 'SIGTERM');
    const { code, tookMs } = await agent.end();
    // Its own patience: a container has ten seconds.
    if (code === 1 && tookMs >= 7000) return t.skip(`the end took ${Math.round(tookMs)} ms: the machine is too slow`);
    assert.equal(code, 0);
  });

  test('the health check tells an agent that works from one that stands still', async (t) => {
    const folder = await folderFor(t);
    const container = await started(folder);
    await using agent = container.agent;
    await agent.status();
    const well = await container.exec('/usr/local/bin/makercast-health');
    assert.equal(well.code, 0, well.stdout.toString());
    const main = mainOf(container);
    process.kill(main.pid, 'SIGSTOP');
    const stuck = await container.exec('/usr/local/bin/makercast-health');
    assert.equal(stuck.code, 1);
    assert.match(stuck.stdout.toString(), /has not run for 10 s/);
    process.kill(main.pid, 'SIGCONT');
    process.kill(container.first, 'SIGTERM');
    await agent.end();
  });

  test('the watchdog lets an agent be that goes on, and ends the container of one that stands still', async (t) => {
    const folder = await folderFor(t);
    const container = await started(folder, { env: { ...(await environment()), MAKERCAST_WATCHDOG_SECONDS: '1' } });
    await using agent = container.agent;
    await agent.status();
    const main = mainOf(container);
    const said = (text: string): Promise<unknown> =>
      until(() => agent.stderr.includes(`watchdog: ${text}`), 60_000, text);
    process.kill(main.pid, 'SIGSTOP');
    await said('the agent has been stuck for 1 s (state T (stopped))');
    process.kill(main.pid, 'SIGCONT');
    await said('the agent runs again');
    assert.deepEqual(mainOf(container).pid, main.pid);
    process.kill(main.pid, 'SIGSTOP');
    // What the engine sees, which starts the container again.
    assert.equal((await agent.end()).code, 137);
    assert.match(agent.stderr, /watchdog: the agent has been stuck for 3 s .*: killing it/);
    await agent.gone();
  });

  test('the watchdog is there for what runs for ever, and can be left out', async (t) => {
    const folder = await folderFor(t);
    const container = await started(folder, { env: { ...(await environment()), MAKERCAST_WATCHDOG_SECONDS: '0' } });
    await using agent = container.agent;
    await agent.status();
    assert.throws(() => watchdogOf(container));
    assert.doesNotMatch(agent.output, /WATCHDOG/, 'it is no setting that the agent would warn of');
    process.kill(container.first, 'SIGTERM');
    await agent.end();
  });

  test('a command run in the container drops root as well', async (t) => {
    const folder = await folderFor(t);
    const container = await started(folder);
    await using agent = container.agent;
    await agent.status();
    const help = await container.exec('/usr/local/bin/makercast', 'help');
    assert.equal(help.code, 0, help.stderr);
    assert.match(help.stdout.toString(), /^Usage: makercast/);
    const probe = await container.exec('env', 'MAKERCAST_DATA=/data', '/usr/local/bin/makercast', 'probe');
    assert.equal(probe.code, 0, probe.stderr);
    // What it may have cached is not root's, or the agent could not read it.
    const foreign = await container.exec('find', '/data', '!', '-user', String(uid));
    assert.equal(foreign.stdout.toString(), '');
    process.kill(container.first, 'SIGTERM');
    await agent.end();
  });

  test('privileged: the kernel’s devices, udev, and pins and an LED that the agent may switch', async (t) => {
    const folder = await folderFor(t);
    const container = await started(folder, { privileged: true });
    await using agent = container.agent;
    await agent.status();
    const mounts = (await container.exec('cat', '/proc/mounts')).stdout.toString();
    if (agent.stderr.includes('no devtmpfs')) assert.doesNotMatch(mounts, / \/dev devtmpfs /);
    else assert.match(mounts, / \/dev devtmpfs /);
    for (const kept of ['/dev/pts devpts', '/dev/shm tmpfs']) assert.ok(mounts.includes(` ${kept} `), kept);
    await until(() => agent.processes().some(({ command }) => command.includes('udevd')), 5000, 'udevd');
    const files = ['gpio/export', 'gpio/unexport', 'leds/ACT/trigger'].map((file) => `/sys/class/${file}`);
    const open = await container.exec('stat', '-c', '%g %a', ...files);
    assert.deepEqual(open.stdout.toString().trim().split('\n'), ['997 664', '997 664', '997 664']);
    const main = mainOf(container);
    assert.match(field(main.pid, 'CapBnd'), /^0+$/);
    process.kill(container.first, 'SIGTERM');
    assert.equal((await agent.end()).code, 0);
    await agent.gone();
  });
});
