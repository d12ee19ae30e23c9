/** What the kernel knows of the threads of a process: whether each runs, waits for a processor, or sleeps (proc_pid_stat(5)). */
import { readdirSync, readFileSync } from 'node:fs';
import type { ProcessReading, ThreadReading } from './silence.js';

/** In which `stat` counts, whatever the kernel's own tick. */
const tickMs = 10;

/** Undefined where there is no such process. Nothing that is read here waits for a disk, a driver or the process itself. */
export function readProcess(pid: number, now: () => number): ProcessReading | undefined {
  try {
    const folder = `/proc/${pid}/task`;
    const others = new Map<number, ThreadReading>();
    let main: ThreadReading | undefined;
    for (const name of readdirSync(folder)) {
      const thread = readThread(`${folder}/${name}`);
      if (!thread) continue;
      if (Number(name) === pid) main = thread;
      else others.set(Number(name), thread);
    }
    return main && { atMs: now(), main, others };
  } catch {
    return undefined;
  }
}

function readThread(folder: string): ThreadReading | undefined {
  const stat = textOf(`${folder}/stat`);
  return stat === undefined ? undefined : threadReading(stat, textOf(`${folder}/schedstat`));
}

/**
 * `schedstat` counts in nanoseconds: ran, waited, times. Debian and Raspberry Pi OS have it (CONFIG_SCHED_INFO, by
 * CONFIG_TASK_DELAY_ACCT); where it is not there, or off (zeros: `nodelayacct` before Linux 5.14), `stat` tells how long a thread ran.
 */
export function threadReading(stat: string, schedstat = ''): ThreadReading {
  // The name may hold anything, spaces and brackets too.
  const [state, ...numbers] = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  const [ran = 0, waited = 0] = schedstat.split(' ').map(Number);
  const ticks = Number(numbers[10]) + Number(numbers[11]);
  return { isRunnable: state === 'R', ranMs: ran > 0 ? ran / 1e6 : ticks * tickMs, waitedMs: waited / 1e6 };
}

function textOf(path: string): string | undefined {
  try {
    return readFileSync(path, 'latin1');
  } catch {
    return undefined;
  }
}
