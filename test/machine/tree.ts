/** A machine out of one text file: its /sys, /proc and /dev in a temporary folder, and what programs say there. */
import { mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import type { Runner } from '../../agent/machine/run.js';
import { root as repository } from '../helpers/root.js';

export interface Tree extends Disposable {
  readonly root: string;
  /** Answers as the programs did there. A command that the fixture does not hold is one that failed. */
  readonly run: Runner;
  /** Every command that was run. */
  readonly commands: string[];
}

/**
 * Lays out `test/fixtures/machine/<name>.txt`. Sections begin with `=== file PATH`, `=== link PATH -> TARGET`,
 * `=== stdout COMMAND` or `=== stderr COMMAND`; a command stands for every one that begins like it.
 */
export function tree(name: string): Tree {
  const root = mkdtempSync(path.join(tmpdir(), 'makercast-machine-'));
  const said = new Map<string, { stdout: string; stderr: string }>();
  const text = readFileSync(path.join(repository, 'test/fixtures/machine', `${name}.txt`), 'utf8');
  for (const section of text.split(/^=== /m).slice(1)) {
    const end = section.indexOf('\n');
    const [kind, rest] = [section.slice(0, section.indexOf(' ')), section.slice(section.indexOf(' ') + 1, end)];
    const body = section.slice(end + 1);
    if (kind === 'stdout' || kind === 'stderr') {
      said.set(rest, { ...(said.get(rest) ?? { stdout: '', stderr: '' }), [kind]: body });
      continue;
    }
    const [file, target] = rest.split(' -> ') as [string, string?];
    const place = path.join(root, file);
    mkdirSync(path.dirname(place), { recursive: true });
    if (target === undefined) writeFileSync(place, body);
    else symlinkSync(target, place);
  }
  const commands: string[] = [];
  const run: Runner = (program, args) => {
    const command = [program, ...args].join(' ');
    commands.push(command);
    const answer = [...said].find(([known]) => command.startsWith(known))?.[1];
    const ended = { code: answer ? 0 : 1, missing: false, late: false };
    return Promise.resolve({ ...(answer ?? { stdout: '', stderr: 'Cannot open device, exiting.\n' }), ...ended });
  };
  return { root, run, commands, [Symbol.dispose]: () => rmSync(root, { recursive: true, force: true }) };
}
