/** The file that a report is written to: created before the work begins, and removed if that is cut off. */
import { rmSync } from 'node:fs';
import { open, type FileHandle } from 'node:fs/promises';
import path from 'node:path';
import { Fault } from '../../errors.js';

const reasons: Readonly<Record<string, readonly [why: string, remedy: string]>> = {
  EEXIST: ['already exists', 'Remove it, or name another file.'],
  ENOENT: ['cannot be created: its folder does not exist', 'Create the folder, or name a file elsewhere.'],
  ENOTDIR: ['cannot be created: what should be its folder is a file', 'Name a file elsewhere.'],
  EACCES: [
    'cannot be created by this user: permission denied',
    'Name a file in a folder that this user may write to, such as /tmp/report.md.',
  ],
  EPERM: [
    'cannot be created by this user: permission denied',
    'Name a file in a folder that this user may write to, such as /tmp/report.md.',
  ],
  EROFS: ['cannot be created: the disk is read-only', 'Name a file elsewhere, such as /tmp/report.md.'],
  ENAMETOOLONG: ['cannot be created: its name is too long', 'Name another file.'],
  ENOSPC: ['cannot be written: the disk is full', 'Free some space, or name a file elsewhere.'],
};

const unwritable = (name: string, error: unknown): Fault => {
  const { code = 'unknown error' } = error as NodeJS.ErrnoException;
  const [why, remedy] = reasons[code] ?? [`cannot be written (${code})`, 'Name a file elsewhere.'];
  return new Fault('report_unwritable', `The file ${JSON.stringify(name)} ${why}.`, remedy);
};

export class ReportFile {
  #written = false;

  private constructor(
    readonly name: string,
    private readonly handle: FileHandle,
  ) {
    // However the program ends: report() turns a signal into an exit too.
    process.once('exit', () => {
      if (!this.#written) rmSync(name, { force: true });
    });
  }

  /** An empty file `name`, readable by its user only. Throws `report_unwritable`, where it is there already too. */
  static async make(name: string): Promise<ReportFile> {
    try {
      return new ReportFile(path.resolve(name), await open(name, 'wx', 0o600));
    } catch (error) {
      throw unwritable(name, error);
    }
  }

  /** All of it, once. Throws `report_unwritable`. */
  async write(text: string): Promise<void> {
    try {
      await this.handle.writeFile(text);
      await this.handle.sync();
      this.#written = true;
    } catch (error) {
      throw unwritable(this.name, error);
    } finally {
      await this.handle.close();
    }
  }
}
