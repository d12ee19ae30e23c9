/** Whether the bench can be built and run on this machine at all. */
import { readFileSync, statfsSync } from 'node:fs';
import { hostRelease, releases } from '../../../setup/debian.mjs';
import { quietly } from '../../../setup/run.mjs';
import { memoryMb } from './qemu.mjs';

/** What QEMU itself needs beside the guest's memory: mostly translated code (`tb-size` in qemu.mjs). */
const overheadMb = 768;
/** What a first build writes at its peak: the system as a tree and as an image, the kernel's packages. */
const diskMb = 5000;

/** Before anything is installed: why not, or ''. */
export function impossible() {
  if (process.platform !== 'linux' || process.arch !== 'x64')
    return `it is made for Linux on x64, this is ${process.platform} on ${process.arch}.`;
  if (process.getuid?.() !== 0) return 'only root may make the system that runs in it.';
  if (!hostRelease())
    return `it is built from Debian's packages, and this is neither Debian ${Object.keys(releases).join(' nor ')}.`;
  const available = Number(/^MemAvailable:\s*(\d+) kB$/m.exec(readFileSync('/proc/meminfo', 'utf8'))?.[1]) / 1024;
  if (available < memoryMb + overheadMb)
    return `it needs ${memoryMb + overheadMb} MB of memory, and ${Math.round(available)} MB are available.`;
  return '';
}

/**
 * With everything installed, before a first build in `folder` (which exists): why not, or ''.
 * @param {string} folder
 */
export async function unbuildable(folder) {
  const { bavail, bsize } = statfsSync(folder);
  const freeMb = Math.round((bavail * bsize) / 2 ** 20);
  if (freeMb < diskMb) return `a first build needs ${diskMb} MB of disk space, and ${freeMb} MB are free.`;
  const mounted = await quietly('unshare', ['--mount', 'mount', '-t', 'tmpfs', 'try', '/mnt']);
  if (mounted.code !== 0)
    return `nothing can be mounted here, which mmdebstrap needs (${mounted.output.trim().split('\n')[0]}).`;
  return '';
}
