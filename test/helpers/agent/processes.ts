/** Who descends from whom, from /proc: a process and all that it started. */
import { readdirSync, readFileSync } from 'node:fs';

export interface ProcessInfo {
  readonly pid: number;
  readonly parent: number;
  readonly session: number;
  /** Clock ticks from boot to its start: with the pid it names one process for ever. */
  readonly started: number;
  /** Arguments, or the title that the program gave itself; empty for a zombie. */
  readonly command: string;
  /** State letter: R, S, D, Z, T, ... */
  readonly state: string;
}

/** One process, or undefined when it is gone. */
export function processInfo(pid: number): ProcessInfo | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'latin1');
    // The name in brackets may itself hold blanks and brackets.
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    const command = readFileSync(`/proc/${pid}/cmdline`, 'utf8').replaceAll('\0', ' ').trim();
    return {
      pid,
      state: fields[0]!,
      parent: Number(fields[1]),
      session: Number(fields[3]),
      started: Number(fields[19]),
      command,
    };
  } catch {
    return undefined;
  }
}

export function allProcesses(): ProcessInfo[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .flatMap((name) => processInfo(Number(name)) ?? []);
}

/** `root` and everything below it, parents first; empty when `root` is gone. */
export function processTree(root: number): ProcessInfo[] {
  const all = allProcesses();
  const tree = all.filter((process) => process.pid === root);
  for (const parent of tree) tree.push(...all.filter((process) => process.parent === parent.pid));
  return tree;
}

/** What a process holds of the machine. */
export interface Holdings {
  /** Resident, and proportional set size: MB of 2^20 bytes. */
  readonly rssMb: number;
  readonly pssMb: number;
  /** File descriptors. */
  readonly handles: number;
  readonly threads: number;
}

/** Undefined when it is gone. The kernel walks all of its pages for this (some ms). */
export function holdings(pid: number): Holdings | undefined {
  const line = (text: string, name: string): number =>
    Number(new RegExp(`^${name}:\\s+(\\d+)`, 'm').exec(text)?.[1] ?? 0);
  try {
    const status = readFileSync(`/proc/${pid}/status`, 'latin1');
    return {
      rssMb: line(status, 'VmRSS') / 1024,
      pssMb: line(readFileSync(`/proc/${pid}/smaps_rollup`, 'latin1'), 'Pss') / 1024,
      handles: readdirSync(`/proc/${pid}/fd`).length,
      threads: line(status, 'Threads'),
    };
  } catch {
    return undefined;
  }
}

/** Environment with which the process was started; empty when it is gone or not ours to read. */
export function environmentOf(pid: number): Readonly<Record<string, string>> {
  try {
    const pairs = readFileSync(`/proc/${pid}/environ`, 'utf8').split('\0').filter(Boolean);
    return Object.fromEntries(
      pairs.map((pair) => [pair.slice(0, pair.indexOf('=')), pair.slice(pair.indexOf('=') + 1)]),
    );
  } catch {
    return {};
  }
}
