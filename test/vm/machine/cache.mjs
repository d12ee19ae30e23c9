/** What the bench builds once and keeps in .cache/vm: each thing in a folder named after what it was made from. */
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, statSync, utimesSync } from 'node:fs';
import path from 'node:path';
import { root } from '../../../setup/ready.mjs';

/** An older edition goes once nobody has used it for so long; a guest that still runs from it keeps its open file. */
const idleMs = 60 * 60_000;

/**
 * Twelve hexadecimal digits that change with any of `parts` (JSON).
 * @param {unknown[]} parts
 */
export const digest = (...parts) => createHash('sha256').update(JSON.stringify(parts)).digest('hex').slice(0, 12);

/**
 * Names and contents of the files in `folder` (not of those in folders below), as one text.
 * @param {string} folder
 */
export const contents = (folder) =>
  readdirSync(folder, { withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map(({ name }) => `${name}\n${readFileSync(path.join(folder, name), 'utf8')}`)
    .sort()
    .join('\n');

export class Cache {
  /** @param {string} folder */
  constructor(folder = path.join(root, '.cache/vm')) {
    this.folder = folder;
  }

  /**
   * @param {string} name
   * @param {string} key
   */
  path = (name, key) => path.join(this.folder, `${name}-${key}`);

  /**
   * @param {string} name
   * @param {string} key
   */
  has = (name, key) => existsSync(this.path(name, key));

  /**
   * The folder of `name` made from what `key` stands for. `build(folder)` fills it where it is not there yet; a build that is cut
   * off leaves nothing that would be taken for whole. Only one process at a time may build (see `alone` in setup/install.mjs).
   * @param {string} name
   * @param {string} key
   * @param {(folder: string) => unknown} build
   * @returns {Promise<string>}
   */
  async get(name, key, build) {
    const whole = this.path(name, key);
    if (!existsSync(whole)) {
      mkdirSync(this.folder, { recursive: true });
      const part = path.join(this.folder, `part-${name}`);
      rmSync(part, { recursive: true, force: true });
      mkdirSync(part);
      await build(part);
      renameSync(part, whole);
    }
    const now = Date.now();
    utimesSync(whole, now / 1000, now / 1000);
    for (const other of readdirSync(this.folder)) {
      const file = path.join(this.folder, other);
      if (other.startsWith(`${name}-`) && file !== whole && now - statSync(file).mtimeMs > idleMs)
        rmSync(file, { recursive: true, force: true });
    }
    return whole;
  }
}
