/** How much processor time and memory each process takes, as `top` shows it: their names only, since arguments may hold a secret. */
import path from 'node:path';
import { namesIn, textOf } from './sysfs.js';

/** USER_HZ, the unit in which Linux tells processor time to programs: 100 on every architecture that Node.js runs on. */
const ticksPerSecond = 100;

interface Reading {
  readonly name: string;
  readonly ticks: number;
  readonly rssMb: number;
}

/** By pid and time of start: pids are used again. */
export type Processes = ReadonlyMap<string, Reading>;

export interface ProcessShare {
  readonly pid: number;
  /** The first word of it, 15 characters at most: programs that name themselves put their arguments behind it. */
  readonly name: string;
  /** Of one core, since the first reading. */
  readonly percent: number;
  readonly rssMb: number;
  /** Its share of what it has in common with others counted once; absent where it may not be seen. */
  readonly pssMb?: number;
}

/** All that can be seen from here: in a container those of the container. */
export async function processes(root = '/'): Promise<Processes> {
  const proc = path.join(root, 'proc');
  const ids = (await namesIn(proc)).filter((name) => /^\d+$/.test(name));
  const found = await Promise.all(
    ids.map(async (id): Promise<[string, Reading][]> => {
      const [stat, status] = await Promise.all([
        textOf(path.join(proc, id, 'stat')),
        textOf(path.join(proc, id, 'status')),
      ]);
      // proc(5): the name is in parentheses, and may hold some itself; behind it the 3rd field follows.
      const [, name, rest] = /^\d+ \((.*)\) (.*)$/s.exec(stat ?? '') ?? [];
      if (name === undefined || rest === undefined) return [];
      const word = name.trim().split(/\s/)[0] || '?';
      const fields = rest.split(' ');
      const ticks = Number(fields[11]) + Number(fields[12]);
      const kilobytes = Number(/^VmRSS:\s+(\d+) kB$/m.exec(status ?? '')?.[1] ?? 0);
      return [[`${id} ${fields[19]}`, { name: word, ticks, rssMb: kilobytes / 1024 }]];
    }),
  );
  return new Map(found.flat());
}

/** Those that took most of a processor from `before` to `after`, `seconds` later, those that hold most memory, and makercast's own: `most` of each. */
export async function busiest(
  before: Processes,
  after: Processes,
  seconds: number,
  most: number,
  root = '/',
): Promise<ProcessShare[]> {
  const all = [...after].map(([key, { name, ticks, rssMb }]) => ({
    pid: Number(key.split(' ')[0]),
    name,
    percent: ((ticks - (before.get(key)?.ticks ?? 0)) / ticksPerSecond / seconds) * 100,
    rssMb,
  }));
  const byShare = all.toSorted((one, other) => other.percent - one.percent);
  const byMemory = all.toSorted((one, other) => other.rssMb - one.rssMb);
  const ours = byShare.filter(({ name }) => name.startsWith('makercast'));
  const chosen = new Set([byShare, byMemory, ours].flatMap((each) => each.slice(0, most)));
  const shown = byShare.filter((each) => chosen.has(each) && (each.percent > 0 || each.rssMb > 0));
  return Promise.all(
    shown.map(async (each) => {
      const pss = /^Pss:\s+(\d+) kB$/m.exec(
        (await textOf(path.join(root, 'proc', String(each.pid), 'smaps_rollup'))) ?? '',
      )?.[1];
      return { ...each, ...(pss !== undefined && { pssMb: Number(pss) / 1024 }) };
    }),
  );
}
