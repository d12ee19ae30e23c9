/** A machine out of one text file: its /sys, /proc and /dev in a temporary folder, and what programs say there. */
import { mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import type { Runner } from '../../agent/machine/host/run.js';
import { root as repository } from '../helpers/root.js';

export interface Tree extends Disposable {
  readonly root: string;
  /** Answers as the programs did there. A command that the fixture does not hold is one that failed. */
  readonly run: Runner;
  /** Every command that was run. */
  readonly commands: string[];
}

/** The text of `test/fixtures/machine/<name>.txt`; a line `=== include NAME` stands for the sections of another such file. */
function fixture(name: string): string {
  const text = readFileSync(path.join(repository, 'test/fixtures/machine', `${name}.txt`), 'utf8');
  return text.replace(/^=== include (.*)\n/gm, (_, part: string) => fixture(part).replace(/^[^]*?(?==== )/, ''));
}

/**
 * Lays out `test/fixtures/machine/<name>.txt`. What stands before the first section says where it comes from. Sections begin with
 * `=== file PATH` (its text), `=== hex PATH` (its bytes, as in a device tree), `=== strings PATH` (one a line, each ended by NUL),
 * `=== link PATH -> TARGET`, `=== stdout COMMAND` or `=== stderr COMMAND`; a command stands for every one that begins like it.
 */
export function tree(name: string): Tree {
  const root = mkdtempSync(path.join(tmpdir(), 'makercast-machine-'));
  const said = new Map<string, { stdout: string; stderr: string }>();
  for (const section of fixture(name).split(/^=== /m).slice(1)) {
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
    if (target !== undefined) symlinkSync(target, place);
    else if (kind === 'hex') writeFileSync(place, Buffer.from(body.replace(/\s/g, ''), 'hex'));
    else writeFileSync(place, kind === 'strings' ? body.replace(/\n/g, '\0') : body);
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
