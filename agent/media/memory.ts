/** How much memory a process may hold and holds. */
import { readFile } from 'node:fs/promises';
import { totalmem } from 'node:os';

/** Less than this means nothing, and no child of ours needs more than this on any machine. */
const leastBytes = 150e6;
const mostBytes = 800e6;

/** Where a process that only ever grows is better replaced. */
export interface MemoryLimits {
  /** At a moment when nobody notices. */
  readonly quietBytes: number;
  /** At once. */
  readonly maxBytes: number;
  /** How often it is checked, in milliseconds; every 30 s where this is left out. */
  readonly everyMs?: number;
}

/** Time enough for such a moment to come. */
const quietShare = 0.7;

/** Limits for a process that may hold the part `share` of this machine's memory. */
export function memoryLimits(share: number): MemoryLimits {
  const maxBytes = memoryLimit(share);
  return { quietBytes: quietShare * maxBytes, maxBytes };
}

/** The part `share` of this machine's memory, within reason. */
export const memoryLimit = (share: number, total = totalmem()): number =>
  Math.min(mostBytes, Math.max(leastBytes, share * total));

/**
 * Proportional set size in bytes: what would be free if it ended; undefined where the kernel does not tell. It walks all pages
 * of the process for that (some ms): not a thing to do every second.
 */
export async function heldBytes(pid: number): Promise<number | undefined> {
  const text = await readFile(`/proc/${pid}/smaps_rollup`, 'latin1').catch(() => '');
  const kibibytes = /^Pss:\s+(\d+) kB/m.exec(text)?.[1];
  return kibibytes === undefined ? undefined : Number(kibibytes) * 1024;
}
