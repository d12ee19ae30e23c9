/** The memory of this machine, and how much of it is set aside for devices (CMA): more than a small board can spare is worth advice. */
import path from 'node:path';
import type { Board } from '../../../pipelines/machine.js';
import { Fault } from '../../errors.js';
import { textOf } from './sysfs.js';

/** MB of 2^20 bytes, rounded. */
export interface Memory {
  readonly totalMb: number;
  /** What programs could have without swapping. */
  readonly availableMb: number;
  /** Set aside for buffers that devices need in one piece; absent on kernels without such an area. */
  readonly cmaTotalMb?: number;
  readonly cmaFreeMb?: number;
}

/** By /proc/meminfo (proc(5)), which counts in units of 1024 bytes; undefined where it cannot be read. */
export async function memory(root = '/'): Promise<Memory | undefined> {
  const text = (await textOf(path.join(root, 'proc/meminfo'))) ?? '';
  const megabytes = (name: string): number | undefined => {
    const kilobytes = new RegExp(`^${name}:\\s+(\\d+) kB$`, 'm').exec(text)?.[1];
    return kilobytes === undefined ? undefined : Math.round(Number(kilobytes) / 1024);
  };
  const [totalMb, availableMb] = [megabytes('MemTotal'), megabytes('MemAvailable')];
  if (totalMb === undefined || availableMb === undefined) return undefined;
  const [cmaTotalMb, cmaFreeMb] = [megabytes('CmaTotal'), megabytes('CmaFree')];
  return {
    totalMb,
    availableMb,
    // Both are 0 where the kernel could have such an area, and has none.
    ...(cmaTotalMb ? { cmaTotalMb, cmaFreeMb: cmaFreeMb ?? 0 } : {}),
  };
}

/** The kernel counts what the firmware has left it, and less its own: boards with 512 MB show 330 to 500, those with 1 GB 700 and more. */
const smallBoardMb = 600;
/** 1080p: some sixteen pictures of 3 MB on their way from the sensor by the image processor into the codec, and as much again to find them in one piece. */
const enoughMb = 128;

/**
 * For a board of 512 MB: 64-bit balenaOS loads `vc4-kms-v3d,cma-320`, which the firmware caps at 256 MB (meta-balena#3595 shows the kernel's
 * log of a Zero 2 W). With 128 MB for the GPU, 128 are left for the kernel and all that cannot be moved out of the way.
 */
export function cmaFault({ soc }: Board, found: Memory | undefined): Fault | undefined {
  const { totalMb, cmaTotalMb = 0 } = found ?? { totalMb: Infinity };
  if (soc === undefined || totalMb > smallBoardMb || cmaTotalMb <= enoughMb) return undefined;
  return new Fault(
    'cma_large',
    `Of ${totalMb} MB of memory ${cmaTotalMb} are set aside for devices (CMA), which the kernel and much of what programs hold cannot use.`,
    'Set dtoverlay to vc4-kms-v3d,cma-96 (on balena: BALENA_HOST_CONFIG_dtoverlay of this device, without quotes; else in config.txt) and restart.',
  );
}
