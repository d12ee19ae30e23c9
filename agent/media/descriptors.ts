/** How many files a process holds open, sockets included, and how many it may. */
import { readdir, readFile } from 'node:fs/promises';

/** Eight outputs, a recording, two pipelines and what Node.js needs are fewer than 150: what holds more has an unknown leak. */
const quietFiles = 400;
/** Of what the kernel allows: what comes after that fails. */
const mostShare = 0.8;

export interface OpenFiles {
  readonly held: number;
  /** Above that it is better replaced at a moment when nobody notices. */
  readonly quiet: number;
  /** Above that it is better replaced at once. */
  readonly most: number;
}

/** Undefined where the kernel does not tell. */
export async function openFiles(pid: number): Promise<OpenFiles | undefined> {
  const names = await readdir(`/proc/${pid}/fd`).catch(() => undefined);
  const limits = await readFile(`/proc/${pid}/limits`, 'latin1').catch(() => '');
  if (names === undefined) return undefined;
  const most = Math.floor(mostShare * Number(/^Max open files +(\d+)/m.exec(limits)?.[1] ?? Infinity));
  return { held: names.length, quiet: Math.min(quietFiles, most), most };
}
