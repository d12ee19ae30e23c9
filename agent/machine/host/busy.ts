/** Who holds a device: the programs that have it open. */
import path from 'node:path';
import { linkOf, namesIn, textOf } from './sysfs.js';

/**
 * Name and process id of a program that has `device` open, such as `ffmpeg (process 812)`; undefined where none is seen
 * (programs of other users are seen by root only).
 */
export async function holderOf(device: string, root = '/'): Promise<string | undefined> {
  const proc = path.join(root, 'proc');
  const processes = (await namesIn(proc)).filter((name) => /^\d+$/.test(name));
  for (const id of processes) {
    const folder = path.join(proc, id, 'fd');
    for (const fd of await namesIn(folder)) {
      if ((await linkOf(path.join(folder, fd))) === device) {
        return `${(await textOf(path.join(proc, id, 'comm'))) ?? 'a program'} (process ${id})`;
      }
    }
  }
  return undefined;
}
