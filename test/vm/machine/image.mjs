/** Packs a folder into an ext4 image that guests mount read-only. */
import { execFileSync } from 'node:child_process';
import { rmSync, truncateSync, writeFileSync } from 'node:fs';
import { step } from '../../../setup/run.mjs';

/** What files take beyond their bytes: half a block each on average, and the file system's own tables. */
const spareKb = 32 * 1024;

/**
 * Writes `image` from the tree `folder` (owners, times and modes kept) and removes the folder. The file is sparse.
 * @param {string} folder
 * @param {string} image
 */
export async function packImage(folder, image) {
  const kb = Number(execFileSync('du', ['-sk', folder], { encoding: 'utf8' }).split('\t')[0]);
  writeFileSync(image, '');
  truncateSync(image, (Math.ceil(kb * 1.25) + spareKb) * 1024);
  // No journal: nobody ever writes to it.
  const args = ['-q', '-t', 'ext4', '-O', '^has_journal', '-m', '0', '-E', 'root_owner=0:0', '-d', folder, image];
  await step(`packing ${Math.round(kb / 1024)} MB`, 'mke2fs', args);
  rmSync(folder, { recursive: true, force: true });
}
