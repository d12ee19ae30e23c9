/** Lets the kernel run programs of ARM architectures, by qemu-user through binfmt_misc, and takes it back at the end. */
import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { Stop } from './run.mjs';

const folder = '/proc/sys/fs/binfmt_misc';
/** Where Debian's qemu-user-static says how each architecture's programs are recognised. */
const recipes = '/usr/lib/binfmt.d';

/**
 * Registers the interpreters `names` (such as `qemu-arm`) unless they are. Returns the call that undoes what was done: what
 * was there before stays. The interpreter is opened at once (flag F), so it is also found in another root.
 * @param {string[]} names
 * @returns {() => void}
 */
export function emulate(names) {
  /** @type {(() => void)[]} */
  const undo = [];
  const restore = () =>
    undo
      .splice(0)
      .reverse()
      .forEach((step) => step());
  try {
    if (!existsSync(path.join(folder, 'register'))) {
      execFileSync('mount', ['-t', 'binfmt_misc', 'binfmt_misc', folder], { stdio: ['ignore', 'inherit', 'inherit'] });
      undo.push(() => execFileSync('umount', [folder]));
    }
    for (const name of names) {
      const entry = path.join(folder, name);
      if (existsSync(entry)) continue;
      writeFileSync(path.join(folder, 'register'), readFileSync(path.join(recipes, `${name}.conf`), 'utf8').trim());
      undo.push(() => writeFileSync(entry, '-1'));
    }
  } catch (error) {
    restore();
    throw new Stop(
      `Programs of other architectures cannot be run here (${/** @type {Error} */ (error).message}). The kernel must offer binfmt_misc to root.`,
    );
  }
  return restore;
}
