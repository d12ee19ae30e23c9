/** Small disks of their own: a tmpfs that fills up, an ext4 whose power can be cut, and one that hangs. For root only. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { closeSync, existsSync, openSync } from 'node:fs';
import { copyFile, mkdir, truncate, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { run, temporaryFolder } from './command.js';

/** Why there are none here, as a test's `skip`; in CI that is no excuse, and the test fails by itself. */
export const noDisks = ((): string | false => {
  if (process.env['CI'] === 'true') return false;
  if (process.getuid?.() !== 0) return 'mounting takes root';
  const tools = ['mount', 'umount', 'mkfs.ext4'].filter((tool) => spawnSync('which', [tool]).status !== 0);
  if (tools.length > 0) return `${tools.join(', ')} missing`;
  return spawnSync('losetup', ['-f']).status === 0 ? false : 'no loop devices';
})();

/** Whether loop devices can be had; the room of `npm run test:fresh` is given none. */
const hasLoop = ((): boolean => {
  try {
    closeSync(openSync('/dev/loop-control', 'r+'));
    return true;
  } catch {
    return false;
  }
})();

/** What cannot be had in that room `.ci/full disks` tries outside of it; there, a disk that cannot be had is a failure. */
const isInsistedOn = process.env['TEST_DISKS'] === '1';

/** Why there is no disk whose power can be cut. */
export const noCuttableDisk: string | false = isInsistedOn
  ? false
  : hasLoop
    ? noDisks
    : 'no /dev/loop-control: TEST_DISKS=1 outside of this room insists on it';

export interface Disk extends AsyncDisposable {
  /** Where it is mounted. */
  readonly folder: string;
}

/** A file system in memory of so many bytes. */
export async function smallDisk(bytes: number): Promise<Disk> {
  const { folder, remove } = await temporaryFolder();
  const mounted = path.join(folder, 'disk');
  await mkdir(mounted);
  await run('mount', ['-t', 'tmpfs', '-o', `size=${bytes}`, 'tmpfs', mounted]);
  return {
    folder: mounted,
    async [Symbol.asyncDispose]() {
      await run('umount', ['-l', mounted], { mayFail: true });
      await remove();
    },
  };
}

/** Why there is no disk that hangs: it takes FUSE, which the room of `npm run test:fresh` has not; insisted on like the one above. */
export const noHungDisk: string | false = ((): string | false => {
  if (isInsistedOn) return false;
  if (process.getuid?.() !== 0) return process.env['CI'] !== 'true' && 'mounting takes root';
  return !existsSync('/dev/fuse') && 'no /dev/fuse: TEST_DISKS=1 outside of this room insists on it';
})();

/** A mount that answers nothing, as one of a server that is away: whatever is asked for in there waits for its end. */
export async function hungDisk(): Promise<Disk> {
  const { folder, remove } = await temporaryFolder();
  const mounted = path.join(folder, 'disk');
  await mkdir(mounted);
  const server = openSync('/dev/fuse', 'r+');
  const options = 'fd=3,rootmode=40000,user_id=0,group_id=0';
  const { status } = spawnSync('mount', ['-i', '-t', 'fuse', '-o', options, 'hung', mounted], {
    stdio: ['ignore', 'inherit', 'inherit', server],
  });
  assert.equal(status, 0);
  return {
    folder: mounted,
    async [Symbol.asyncDispose]() {
      // All who wait are told that nobody is there.
      closeSync(server);
      await run('umount', ['-l', mounted], { mayFail: true });
      await remove();
    },
  };
}

export interface CuttableDisk extends Disk {
  /**
   * The disk as it would be found if the power went now: what was written to the device is there, what the kernel still held back
   * is not. The disk itself goes on.
   */
  afterPowerCut(): Promise<Disk>;
  /** From now on no write returns, as with a card that hangs; until `thaw`. */
  freeze(): Promise<void>;
  thaw(): Promise<void>;
}

/** An ext4 of 64 MB in a file. */
export async function cuttableDisk(): Promise<CuttableDisk> {
  const { folder, remove } = await temporaryFolder();
  const image = path.join(folder, 'image');
  const mounted = path.join(folder, 'disk');
  await mkdir(mounted);
  await writeFile(image, '');
  await truncate(image, 64_000_000);
  await run('mkfs.ext4', ['-q', '-F', image]);
  // No commit but those that somebody asks for: what was not flushed must not get there by itself, nor in the middle of a copy.
  await run('mount', ['-o', 'loop,commit=300', image, mounted]);
  let cuts = 0;
  return {
    folder: mounted,
    async afterPowerCut() {
      cuts += 1;
      const copy = path.join(folder, `copy-${cuts}`);
      const found = path.join(folder, `found-${cuts}`);
      await copyFile(image, copy);
      await mkdir(found);
      await run('mount', ['-o', 'loop', copy, found]);
      return {
        folder: found,
        async [Symbol.asyncDispose]() {
          await run('umount', ['-l', found], { mayFail: true });
        },
      };
    },
    async freeze() {
      await run('fsfreeze', ['-f', mounted]);
    },
    async thaw() {
      await run('fsfreeze', ['-u', mounted]);
    },
    async [Symbol.asyncDispose]() {
      await run('fsfreeze', ['-u', mounted], { mayFail: true });
      await run('umount', ['-l', mounted], { mayFail: true });
      await remove();
    },
  };
}
