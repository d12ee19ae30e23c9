/** Encoders and decoders that were run here to see whether they work: how that is done, and what is remembered. */
import { release } from 'node:os';
import path from 'node:path';
import type { Elements } from './elements.js';
import { run as runProgram, type Runner } from '../host/run.js';
import type { Storage } from '../storage/storage.js';
import { namesIn, textOf, usbPathOf } from '../host/sysfs.js';

/** x264 makes 3 frames a second of 720p on a Zero W, which also takes seconds to load it; a hung driver takes for ever. */
const deadlineMs = 20_000;

const stateName = 'encoders';
const stateFormat = 1;

interface Remembered {
  readonly machine: string;
  readonly works: readonly string[];
  readonly fails?: readonly string[];
}

/** What the data folder remembers of trials, for as long as kernel, GStreamer and codec nodes stay the same. */
export class Trials {
  readonly #works: Set<string>;
  readonly #fails: Set<string>;
  #isNew = false;

  private constructor(
    private readonly machine: string,
    known: Remembered | undefined,
    private readonly storage?: Storage,
  ) {
    const mine = known?.machine === machine ? known : undefined;
    this.#works = new Set(mine?.works);
    this.#fails = new Set(mine?.fails);
  }

  static async load({ version }: Pick<Elements, 'version'>, storage?: Storage, root = '/'): Promise<Trials> {
    const machine = `${release()} ${version} ${await codecNodes(root)}`;
    return new Trials(machine, await storage?.readState(stateName, stateFormat, isRemembered), storage);
  }

  /** Whether `name` works; undefined where nothing is remembered of it. */
  of(name: string): boolean | undefined {
    return this.#works.has(name) ? true : this.#fails.has(name) ? false : undefined;
  }

  note(name: string, works: boolean): void {
    if (this.of(name) === works) return;
    this.#isNew = true;
    this.#works[works ? 'add' : 'delete'](name);
    this.#fails[works ? 'delete' : 'add'](name);
  }

  async save(): Promise<void> {
    if (!this.#isNew) return;
    this.#isNew = false;
    const [works, fails] = [this.#works, this.#fails].map((names) => [...names].sort());
    await this.storage?.writeState(stateName, stateFormat, { machine: this.machine, works, fails });
  }
}

function isRemembered(value: unknown): value is Remembered {
  const { machine, works, fails = [] } = (value ?? {}) as Partial<Remembered>;
  return typeof machine === 'string' && Array.isArray(works) && Array.isArray(fails);
}

/** How a trial came out. */
export interface Tried {
  /** Why it does not work, in plain words; undefined where something came out. */
  readonly why?: string;
  /** The first byte that came out. */
  readonly first?: number;
}

/** Runs a pipeline of `pipelines/probe.ts` to its end. */
export async function tried(text: string, run: Runner = runProgram): Promise<Tried> {
  let first: number | undefined;
  const said = await run('gst-launch-1.0', ['-q', ...text.split(' ')], {
    deadlineMs,
    onFd4: (chunk) => {
      first ??= chunk[0];
      return false;
    },
  });
  if (said.late) return { why: `it hangs: still running after ${deadlineMs / 1000} s` };
  if (said.missing) return { why: 'gst-launch-1.0 is missing: apt-get install gstreamer1.0-tools' };
  const error = /^ERROR: (?:from element \S+: )?(.*)$/m.exec(said.stderr)?.[1] ?? said.stderr.trim().split('\n')[0];
  if (said.code !== 0) return { why: `it fails: ${error || 'no reason given'}` };
  return first === undefined ? { why: 'it runs, but produces no output' } : { first };
}

/** Names of the video nodes that are part of the machine (a USB camera that comes or goes changes no encoder). */
export async function codecNodes(root: string): Promise<string> {
  const folder = path.join(root, 'sys/class/video4linux');
  const nodes = await Promise.all(
    (await namesIn(folder)).sort().map(async (node) => {
      if ((await usbPathOf(path.join(folder, node))) !== undefined) return [];
      return [`${node}=${(await textOf(path.join(folder, node, 'name'))) ?? ''}`];
    }),
  );
  return nodes.flat().join(',');
}
