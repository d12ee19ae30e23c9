/** What a process tree costs, from /proc: CPU time, wake-ups, memory. */
import { readdirSync, readFileSync } from 'node:fs';
import { processTree } from '../test/helpers/agent/processes.js';

/** Clock ticks a second in /proc/PID/stat (USER_HZ: 100 on every Linux that is built today). */
const ticks = 100;

export interface Cost {
  readonly pid: number;
  /** Part that it plays: its title where it has one, else the program. */
  readonly name: string;
  /** User and system seconds since its start, children that have ended included. */
  readonly cpuSeconds: number;
  /** Times that a thread gave up the processor to wait, by thread: each is followed by a wake-up. */
  readonly waits: ReadonlyMap<number, number>;
  /** Proportional set size in MB (2^20 bytes): shared pages are divided among those who share them. */
  readonly pssMb: number;
}

const lineValue = (text: string, name: string): number =>
  Number(new RegExp(`^${name}:\\s+(\\d+)`, 'm').exec(text)?.[1] ?? 0);

function cpuSeconds(pid: number): number {
  const stat = readFileSync(`/proc/${pid}/stat`, 'latin1');
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  // utime, stime, cutime, cstime: fields 14 to 17, of which the first two stand before the bracket.
  return fields.slice(11, 15).reduce((sum, field) => sum + Number(field), 0) / ticks;
}

function waits(pid: number): Map<number, number> {
  const threads = readdirSync(`/proc/${pid}/task`).map(Number);
  return new Map(
    threads.flatMap((thread) => {
      try {
        return [
          [thread, lineValue(readFileSync(`/proc/${pid}/task/${thread}/status`, 'latin1'), 'voluntary_ctxt_switches')],
        ];
      } catch {
        return []; // It ended just now.
      }
    }),
  );
}

/** Costs so far of `root` and all below it. `memory` false leaves PSS out (0): the kernel walks all pages for it. */
export function costs(root: number, memory: boolean): Cost[] {
  return processTree(root).flatMap(({ pid, command }) => {
    try {
      const [program = '', ...args] = command.split(' ');
      const script = args.find((arg) => arg.endsWith('.js'));
      const pss = memory ? lineValue(readFileSync(`/proc/${pid}/smaps_rollup`, 'latin1'), 'Pss') / 1024 : 0;
      return [{ pid, name: script ?? program, cpuSeconds: cpuSeconds(pid), waits: waits(pid), pssMb: pss }];
    } catch {
      return []; // It ended just now.
    }
  });
}

export const totalCpu = (all: readonly Cost[]): number => all.reduce((sum, cost) => sum + cost.cpuSeconds, 0);

/** Waits from one count to a later one, of all threads or of the main thread alone. */
export function waitsBetween(before: Cost, after: Cost, mainOnly = false): number {
  const threads = [...after.waits].filter(([thread]) => !mainOnly || thread === after.pid);
  return threads.reduce((sum, [thread, count]) => sum + count - (before.waits.get(thread) ?? 0), 0);
}
