/** The guest's first root: busybox, the modules that reach the disks, and a script that mounts them. */
import { execFileSync } from 'node:child_process';
import { chmodSync, copyFileSync, mkdirSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { step } from '../../../setup/run.mjs';

/** What Debian's kernel has as modules and needs before it has any disk. */
const needed = ['virtio_pci', 'virtio_blk', 'ext4', 'overlay'];

/**
 * Writes `folder`/initrd. `base` is the folder that holds lib/modules/`release`, indexed by depmod.
 * @param {string} base
 * @param {string} release
 * @param {string} folder
 */
export async function packInitrd(base, release, folder) {
  const tree = path.join(folder, 'initrd.d');
  for (const name of ['bin', 'dev', 'proc', 'sys', 'modules', 'newroot'])
    mkdirSync(path.join(tree, name), { recursive: true });
  copyFileSync('/bin/busybox', path.join(tree, 'bin/busybox'));
  copyFileSync(path.join(import.meta.dirname, '../guest/initrd.sh'), path.join(tree, 'init'));
  chmodSync(path.join(tree, 'init'), 0o755);
  /** @type {string[]} */
  const order = [];
  for (const name of needed) {
    const args = ['--dirname', base, '--set-version', release, '--show-depends', name];
    const lines = execFileSync('modprobe', args, { encoding: 'utf8' }).matchAll(/^insmod (.+?\.ko\S*)/gm);
    for (const [, file] of lines) if (!order.includes(file)) order.push(file);
  }
  for (const file of order) copyFileSync(file, path.join(tree, 'modules', path.basename(file)));
  writeFileSync(path.join(tree, 'modules/order'), order.map((file) => `${path.basename(file)}\n`).join(''));
  const pack = 'find . | cpio --quiet --create --format=newc --owner=0:0 | gzip -1 > ../initrd';
  await step('packing the initrd', 'sh', ['-c', pack], { cwd: tree });
  rmSync(tree, { recursive: true });
}
