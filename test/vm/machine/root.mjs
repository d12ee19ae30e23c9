/**
 * The guest's system: a minimal Debian with what makercast and its tests need, as an image. It is of the host's release, so that the
 * binding that was compiled there runs in it.
 */
import { execFileSync } from 'node:child_process';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { packages } from '../../../setup/packages.mjs';
import { aptOptions, aptSources, hostRelease, sourcesName, suiteOf } from '../../../setup/debian.mjs';
import { step } from '../../../setup/run.mjs';
import { digest } from './cache.mjs';
import { packImage } from './image.mjs';

/** Where makercast lies in the guest. */
export const appFolder = '/opt/makercast';

/** What the guest has beyond the packages that makercast and its tests need anywhere. */
const guestPackages = {
  udev: 'makes /dev/v4l/by-id, as on a Pi',
  kmod: 'modprobe',
  usbutils: 'lsusb, to look around',
  procps: 'ps, to look around',
  gpiod: 'gpiomon, which sees edges of GPIO lines',
  fontconfig: 'fc-cache: what clockoverlay would else do for ten seconds at its first start',
  libatomic1: 'Node.js',
  'libstdc++6': 'Node.js',
};

const names = [
  ...new Set([packages.runtime, packages.test, guestPackages].flatMap((purpose) => Object.keys(purpose))),
].sort();

/** Changes with the packages' versions that apt offers now, and with how the image is made. */
export function rootKey() {
  const policy = execFileSync('apt-cache', ['policy', ...names], { encoding: 'utf8' });
  const versions = policy.split('\n').filter((line) => /^\S|Candidate:/.test(line));
  return digest(versions, readFileSync(import.meta.filename, 'utf8'));
}

/**
 * Makes `root.img` in the cache and returns its folder.
 * @param {import('./cache.mjs').Cache} cache
 */
export async function makeRoot(cache) {
  return cache.get('root', rootKey(), async (folder) => {
    const suite = suiteOf(hostRelease() ?? '');
    const sources = aptSources(suite);
    const list = path.join(folder, sourcesName(sources));
    writeFileSync(list, sources);
    const tree = path.join(folder, 'tree');
    mkdirSync(tree);
    // GStreamer's registry lies below the test helpers' HOME (test/helpers/agent/agent.ts): without it the first start takes half a minute.
    const home = `${appFolder}/.cache/home`;
    const hooks = [
      `chroot "$1" fc-cache --system-only`,
      `mkdir -p "$1${home}" && HOME=${home} chroot "$1" gst-inspect-1.0`,
    ];
    const args = [
      '--variant=minbase',
      '--mode=root',
      '--format=directory',
      ...aptOptions().map((option) => `--aptopt=${option}`),
      '--aptopt=Apt::Install-Recommends "false"',
      ...['doc', 'man', 'locale', 'info', 'lintian'].map((name) => `--dpkgopt=path-exclude=/usr/share/${name}/*`),
      `--include=${names.join(',')}`,
      ...hooks.map((hook) => `--customize-hook=${hook}`),
      suite,
      tree,
      ...(sources ? [list] : []),
    ];
    await step(`making a Debian system of ${names.length} packages and what they need`, 'mmdebstrap', args);
    await packImage(tree, path.join(folder, 'root.img'));
  });
}
