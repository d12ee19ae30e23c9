/** The guest's kernel: that of Debian 12, whichever release the host runs, with the modules and programs of test/vm/kernel/ built against it. */
import { execFileSync } from 'node:child_process';
import {
  copyFileSync,
  cpSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import path from 'node:path';
import { aptOf, suiteOf } from '../../../setup/debian.mjs';
import { step, Stop } from '../../../setup/run.mjs';
import { modules, programs } from '../kernel/modules.mjs';
import { contents, digest } from './cache.mjs';
import { packImage } from './image.mjs';
import { packInitrd } from './initrd.mjs';

const own = path.join(import.meta.dirname, '../kernel');
/** What else the result depends on. */
const recipes = ['kernel.mjs', 'initrd.mjs', 'image.mjs', '../guest/initrd.sh'];
/** The patches of test/vm/kernel/ are made for this release's kernel. The sources' package is named after its series. */
const release = '12';
const series = '6.1';

/** @typedef {{release: string, version: string | undefined}} Kernel As apt calls it. */

/** Drivers of hardware that no guest has: a third of the modules' bytes, and time to pack and to scan. */
const needless = [
  ...['gpu', 'infiniband', 'net/wireless', 'net/ethernet', 'scsi', 'md', 'isdn', 'staging', 'iio', 'hwmon', 'ata'],
  ...['mtd', 'nvme', 'target', 'block/drbd', 'media/pci', 'media/dvb-frontends', 'media/tuners'],
].map((name) => `kernel/drivers/${name}`);

/**
 * The environment in which apt's programs know that release's packages; lists of its own in the cache where this machine runs another.
 * @param {import('./cache.mjs').Cache} cache
 */
export const kernelApt = (cache) => aptOf(suiteOf(release), cache.path('apt', release));

/**
 * The newest kernel of that series that apt knows: `{release: '6.1.0-56-amd64', version: '6.1.192-2'}`; undefined when it knows none.
 * @param {import('./cache.mjs').Cache} cache
 * @returns {Kernel | undefined}
 */
export function offeredKernel(cache) {
  const env = kernelApt(cache);
  /**
   * @param {string} command
   * @param {string[]} args
   */
  const output = (command, ...args) => execFileSync(command, args, { encoding: 'utf8', env });
  const names = output(
    'apt-cache',
    'search',
    '--names-only',
    `^linux-image-${series.replace('.', '\\.')}\\.0-[0-9]+-amd64$`,
  );
  const kernels = [...names.matchAll(/^linux-image-(\S+)/gm)].map(([, name]) => name);
  const newest = kernels.sort((a, b) => Number(a.split('-')[1]) - Number(b.split('-')[1])).at(-1);
  if (!newest) return undefined;
  const version = /^Version: (.*)$/m.exec(
    output('apt-cache', 'show', '--no-all-versions', `linux-image-${newest}`),
  )?.[1];
  return { release: newest, version };
}

/**
 * Keys of what {@link makeKernel} keeps: `linux` is what Debian gives, `kernel` what is made from it.
 * @param {Kernel} kernel
 */
export const kernelKeys = ({ release, version }) => ({
  linux: `${release}-${version}`,
  kernel: digest(
    release,
    version,
    contents(own),
    ...recipes.map((file) => readFileSync(path.join(import.meta.dirname, file), 'utf8')),
  ),
});

/**
 * Downloads and unpacks Debian's packages into `folder`: `image/`, `headers/` and `source.tar.xz`.
 * @param {Kernel} kernel
 * @param {string} folder
 * @param {NodeJS.ProcessEnv} env
 */
async function fetchLinux({ release, version }, folder, env) {
  const abi = release.replace(/-amd64$/, '');
  const names = [
    `linux-image-${release}`,
    `linux-headers-${release}`,
    `linux-headers-${abi}-common`,
    `linux-kbuild-${series}`,
    `linux-source-${series}`,
  ].map((name) => `${name}=${version}`);
  const debs = path.join(folder, 'debs');
  mkdirSync(debs);
  // As root apt would warn that its own user cannot write there.
  const options = ['-q', '-o', 'APT::Sandbox::User=root', '-o', 'Acquire::Retries=3'];
  await step(`downloading Debian's kernel ${release} ${version}`, 'apt-get', [...options, 'download', ...names], {
    cwd: debs,
    env,
  });
  for (const deb of readdirSync(debs)) {
    const into = deb.startsWith('linux-image') ? 'image' : deb.startsWith('linux-source') ? 'source' : 'headers';
    await step(`unpacking ${deb.split('_')[0]}`, 'dpkg-deb', ['-x', path.join(debs, deb), path.join(folder, into)]);
  }
  rmSync(debs, { recursive: true });
  renameSync(path.join(folder, `source/usr/src/linux-source-${series}.tar.xz`), path.join(folder, 'source.tar.xz'));
  rmSync(path.join(folder, 'source'), { recursive: true });
  for (const name of needless)
    rmSync(path.join(folder, 'image/lib/modules', release, name), { recursive: true, force: true });
  // The headers look for their common part where they would be installed.
  const makefile = path.join(folder, `headers/usr/src/linux-headers-${release}/Makefile`);
  const text = readFileSync(makefile, 'utf8');
  if (!text.includes('/usr/src/linux-headers'))
    throw new Stop(`${makefile} is not what it was; see test/vm/machine/kernel.mjs.`);
  writeFileSync(
    makefile,
    text.replaceAll('/usr/src/linux-headers', path.join('$(MAKERCAST_HEADERS)', 'usr/src/linux-headers')),
  );
}

/**
 * Takes files out of the source archive, at most once each: to read it through takes a quarter of a minute.
 * @param {string} linux
 * @param {string[]} files
 */
async function takeSources(linux, files) {
  const folder = path.join(linux, 'source');
  const missing = files.filter((file) => !existsSync(path.join(folder, file)));
  if (missing.length === 0) return folder;
  mkdirSync(folder, { recursive: true });
  const members = missing.map((file) => `linux-source-${series}/${file}`);
  const args = ['-xJf', path.join(linux, 'source.tar.xz'), '-C', folder, '--strip-components=1', ...members];
  await step(`taking ${missing.length} files out of the kernel's sources`, 'tar', args);
  return folder;
}

/**
 * Builds the modules in `build` and puts them into the tree `modulesFolder`/updates, where modprobe finds them before Debian's.
 * @param {import('./cache.mjs').Cache} cache
 * @param {string} linux
 * @param {string} release
 * @param {string} build
 * @param {string} modulesFolder
 */
async function buildModules(cache, linux, release, build, modulesFolder) {
  const source = await takeSources(
    linux,
    modules.flatMap(({ files }) => files),
  );
  for (const module of modules) {
    const copies = [
      ...module.files.map((file) => [path.join(source, file), file]),
      ...(module.own ?? []).map((file) => [path.join(own, file), file]),
    ];
    for (const [from, file] of copies) {
      mkdirSync(path.dirname(path.join(build, file)), { recursive: true });
      copyFileSync(from, path.join(build, file));
    }
    for (const patch of [module.patch ?? []].flat())
      await step(`patching ${module.name}`, 'patch', ['--forward', '-p1', '-i', path.join(own, patch)], { cwd: build });
  }
  copyFileSync(path.join(own, 'Kbuild'), path.join(build, 'Kbuild'));
  const headers = path.join(linux, 'headers');
  const tree = path.join(headers, `usr/src/linux-headers-${release}`);
  // The kernel's makefiles take no path with a space, and see through links.
  /** @param {string} folder */
  const plain = (folder) => path.join('/mnt', path.relative(cache.folder, folder));
  const args = ['-j2', '-C', plain(tree), `M=${plain(build)}`, `MAKERCAST_HEADERS=${plain(headers)}`, 'modules'];
  const mounted = ['--mount', 'sh', '-c', 'mount --bind "$0" /mnt && exec make "$@"', cache.folder];
  await step(`compiling ${modules.length} kernel modules`, 'unshare', [...mounted, ...args]);
  const updates = path.join(modulesFolder, 'updates');
  mkdirSync(updates, { recursive: true });
  for (const file of readdirSync(build, { recursive: true, encoding: 'utf8' }).filter((name) => name.endsWith('.ko'))) {
    execFileSync('strip', ['--strip-debug', path.join(build, file)]);
    copyFileSync(path.join(build, file), path.join(updates, path.basename(file)));
  }
}

/**
 * Compiles the guest's programs into `folder`. Static: what they need is then in the image, whatever the host runs.
 * @param {string} folder
 */
async function buildPrograms(folder) {
  mkdirSync(folder, { recursive: true });
  for (const { name, file } of programs)
    await step(`compiling ${name}`, 'cc', [
      '-O2',
      '-Wall',
      '-static',
      '-o',
      path.join(folder, name),
      path.join(own, file),
    ]);
}

/**
 * Makes the kernel's part of the bench in the cache: `vmlinuz`, `initrd` and `kernel.img`, a layer of the guest's root with
 * modules and programs. Returns its folder.
 * @param {import('./cache.mjs').Cache} cache
 * @param {Kernel} offered
 */
export async function makeKernel(cache, offered) {
  const keys = kernelKeys(offered);
  return cache.get('kernel', keys.kernel, async (folder) => {
    const linux = await cache.get('linux', keys.linux, (into) => fetchLinux(offered, into, kernelApt(cache)));
    const layer = path.join(folder, 'layer');
    const tree = path.join(layer, 'usr/lib/modules', offered.release);
    cpSync(path.join(linux, 'image/lib/modules', offered.release), tree, { recursive: true });
    const build = path.join(folder, 'build');
    mkdirSync(build);
    await buildModules(cache, linux, offered.release, build, tree);
    rmSync(build, { recursive: true });
    await buildPrograms(path.join(layer, 'usr/local/bin'));
    await step('indexing the modules', 'depmod', ['-b', path.join(layer, 'usr'), offered.release]);
    await packInitrd(path.join(layer, 'usr'), offered.release, folder);
    copyFileSync(path.join(linux, `image/boot/vmlinuz-${offered.release}`), path.join(folder, 'vmlinuz'));
    await packImage(layer, path.join(folder, 'kernel.img'));
  });
}
