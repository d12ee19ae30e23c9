/** The folder of one run: the hub's socket is in it. No other user may look into it. */
import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { Fault } from '../errors.js';

/**
 * A new folder; those of runs that were killed are removed. Where the usual place for such is full, read-only or missing, it is in
 * memory, or else in `data`. Throws `state_unwritable` where there is none at all.
 */
export async function runFolder(data: string): Promise<string> {
  const places = [tmpdir(), '/dev/shm', data];
  for (const place of places) {
    await sweep(place);
    const made = await mkdtemp(path.join(place, `makercast-run-${process.pid}-`)).catch(() => undefined);
    if (made !== undefined) return made;
  }
  const what = `No folder can be created in any of ${places.join(', ')}.`;
  throw new Fault('state_unwritable', what, 'Free some space, or make one of them writable.');
}

async function sweep(place: string): Promise<void> {
  for (const name of await readdir(place).catch(() => [])) {
    const pid = /^makercast-run-(\d+)-/.exec(name)?.[1];
    if (pid === undefined || isAlive(Number(pid))) continue;
    // Another user's stays where it is.
    await rm(path.join(place, name), { recursive: true, force: true }).catch(() => undefined);
  }
}

function isAlive(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}
