/** Which board this is, by its device tree: what a plan depends on, and what its firmware was told to keep for the GPU. */
import path from 'node:path';
import type { Board } from '../../../pipelines/machine.js';
import { model } from './health.js';
import { bytesOf, namesIn, textOf } from './sysfs.js';

const socs = ['bcm2835', 'bcm2836', 'bcm2837', 'bcm2711', 'bcm2712'] as const;

const mebibyte = 2 ** 20;

/** Empty on a PC, and in a container that hides the device tree. `arch`: as Node.js calls that of the system. */
export async function board(root = '/', arch: string = process.arch): Promise<Board> {
  const tree = path.join(root, 'proc/device-tree');
  const [name, compatible] = await Promise.all([model(root), textOf(path.join(tree, 'compatible'))]);
  // A list, each ended by NUL, the most special first: `raspberrypi,3-model-b`, `brcm,bcm2837`.
  const claimed = (compatible ?? '').split('\0');
  const soc = socs.find((known) => claimed.includes(`brcm,${known}`));
  const gpuMemoryMb = soc === undefined || soc === 'bcm2712' ? undefined : await gpuMemory(tree);
  return {
    ...(name !== undefined && { model: name }),
    ...(soc !== undefined && { soc }),
    ...(gpuMemoryMb !== undefined && { gpuMemoryMb }),
    ...(soc !== undefined && arch === 'arm64' && { is64Bit: true }),
  };
}

/**
 * MB that the firmware keeps for the GPU (`gpu_mem`): it takes them from the end of the first GB, and tells the kernel, in the
 * device tree's memory node, of what is left. So: the RAM below 1 GB, less the range that starts at address 0. A Pi 3 with
 * gpu_mem=76 has 0x3b400000 bytes there: 1024 - 948 = 76. MemTotal of /proc/meminfo would not do: the kernel takes 10 to 40 MB
 * of its own before it counts, which is as much as the settings differ by.
 */
async function gpuMemory(tree: string): Promise<number | undefined> {
  const ram = installedMb((await bytesOf(path.join(tree, 'system/linux,revision')))?.readUInt32BE(0));
  const left = await rangeAtZero(tree);
  if (ram === undefined || left === undefined) return undefined;
  const kept = Math.min(ram, 1024) - left / mebibyte;
  // The smallest that the firmware knows is 16; what is no such number was not written by it.
  return Number.isInteger(kept) && kept >= 16 && kept <= 944 ? kept : undefined;
}

/**
 * RAM in MB by the board's revision code: bit 23 says that it is a new one (all since the Pi 2, and the Zeros), bits 20 to 22 are
 * the size: 0 for 256 MB, doubled each time. Old codes are a list, of Pi 1 only.
 */
function installedMb(revision: number | undefined): number | undefined {
  if (revision === undefined || ((revision >>> 23) & 1) === 0) return undefined;
  return 256 * 2 ** ((revision >>> 20) & 7);
}

/** Bytes of the memory range that starts at address 0. Addresses and sizes have as many 32-bit cells as the root of the tree says. */
async function rangeAtZero(tree: string): Promise<number | undefined> {
  const cells = async (of: string): Promise<number> =>
    (await bytesOf(path.join(tree, `#${of}-cells`)))?.readUInt32BE(0) ?? 1;
  const [address, size] = await Promise.all([cells('address'), cells('size')]);
  const node = (await namesIn(tree)).find((name) => /^memory(@|$)/.test(name));
  const reg = node === undefined ? undefined : await bytesOf(path.join(tree, node, 'reg'));
  if (!reg || address < 1 || size < 1) return undefined;
  const number = (at: number, count: number): number =>
    Array.from({ length: count }, (_, i) => reg.readUInt32BE(at + 4 * i)).reduce(
      (sum, cell) => sum * 2 ** 32 + cell,
      0,
    );
  const length = 4 * (address + size);
  for (let at = 0; at + length <= reg.length; at += length) {
    if (number(at, address) === 0) return number(at + 4 * address, size);
  }
  return undefined;
}
