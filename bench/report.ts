/** From rounds to rows: medians, ratios and goals, as a table and as JSON. */
import { mkdir, rename, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { root } from '../test/helpers/root.js';
import { contenders, type Contender } from './contenders.js';
import type { ProcessResult, RoundResult } from './round.js';

export interface Row {
  readonly measure: string;
  readonly unit: string;
  /** makercast's; null where it could not be measured. */
  readonly value: number | null;
  /** The most that is allowed; null where there is no goal. */
  readonly goal: number | null;
  readonly met: boolean | null;
  /** The others' values in the same run. */
  readonly versus: Readonly<Record<string, number | null>>;
}

export type Results = Readonly<Record<Contender, readonly RoundResult[]>>;

/** The middle value; null where there is none. */
export function median(values: readonly (number | undefined)[]): number | null {
  const sorted = values
    .filter((value) => value !== undefined && !Number.isNaN(value))
    .toSorted((a, b) => a! - b!) as number[];
  if (sorted.length === 0) return null;
  return (sorted[Math.floor((sorted.length - 1) / 2)]! + sorted[Math.ceil((sorted.length - 1) / 2)]!) / 2;
}

const sum = (round: RoundResult, field: keyof ProcessResult): number =>
  [...round.processes.values()].reduce((total, cost) => total + cost[field], 0);

/** makercast's processes by the titles that they give themselves. */
const parts = { agent: /^makercast$|agent\/main\.js$/, capture: /capture/, delivery: /delivery/ } as const;
type Part = keyof typeof parts;

function ofPart(round: RoundResult, part: Part, field: keyof ProcessResult): number | undefined {
  return [...round.processes].find(([name]) => parts[part].test(name))?.[1][field];
}

export function rows(results: Results): Row[] {
  const of = (contender: Contender, value: (round: RoundResult) => number | undefined): number | null =>
    median(results[contender].map(value));

  function row(
    measure: string,
    unit: string,
    value: (round: RoundResult) => number | undefined,
    goal?: (gst: number) => number,
  ): Row {
    const [own, ...others] = contenders.map((contender) => of(contender, value)) as [
      number | null,
      ...(number | null)[],
    ];
    const most = goal && others[0] !== null && others[0] !== undefined ? goal(others[0]) : null;
    return {
      measure,
      unit,
      value: own,
      goal: most,
      met: own === null || most === null ? null : own <= most,
      versus: Object.fromEntries(contenders.slice(1).map((contender, index) => [contender, others[index] ?? null])),
    };
  }

  function partRow(measure: string, unit: string, part: Part, field: keyof ProcessResult, most?: number): Row {
    const own = of('makercast', (round) => ofPart(round, part, field));
    return {
      measure,
      unit,
      value: own,
      goal: most ?? null,
      met: own === null || most === undefined ? null : own <= most,
      versus: {},
    };
  }

  const [ownCpu, gstCpu] = (['makercast', 'gst-launch'] as const).map((contender) =>
    of(contender, (round) => sum(round, 'cpuPerMinute')),
  ) as [number | null, number | null];
  const fps = of('makercast', (round) => round.fps);
  const gstPss = of('gst-launch', (round) => sum(round, 'pssMb'));
  return [
    row(
      'steady CPU, in all',
      'CPU s a minute',
      (round) => sum(round, 'cpuPerMinute'),
      (gst) => 1.15 * gst,
    ),
    partRow('steady CPU, agent', 'CPU s a minute', 'agent', 'cpuPerMinute'),
    partRow('steady CPU, capture', 'CPU s a minute', 'capture', 'cpuPerMinute'),
    partRow('steady CPU, delivery', 'CPU s a minute', 'delivery', 'cpuPerMinute'),
    row('CPU for the start and the first 5 s', 'CPU s', (round) => round.startCpuSeconds),
    row('wake-ups, in all', 'a second', (round) => sum(round, 'wakeupsPerSecond')),
    partRow('wake-ups, agent', 'a second', 'agent', 'wakeupsPerSecond'),
    partRow('wake-ups, capture', 'a second', 'capture', 'wakeupsPerSecond'),
    partRow('wake-ups, delivery', 'a second', 'delivery', 'wakeupsPerSecond'),
    partRow("wake-ups, delivery's main thread", 'a second', 'delivery', 'mainWakeupsPerSecond', 20),
    row('memory (PSS), in all', 'MB', (round) => sum(round, 'pssMb')),
    partRow('memory (PSS), agent', 'MB', 'agent', 'pssMb', 45),
    partRow('memory (PSS), capture', 'MB', 'capture', 'pssMb', gstPss === null ? undefined : gstPss + 30),
    partRow('memory (PSS), delivery', 'MB', 'delivery', 'pssMb', 40),
    row(
      'start to first keyframe',
      'ms',
      (round) => round.firstKeyframeMs,
      (gst) => gst + 1000,
    ),
    row(
      'picture latency',
      'ms',
      (round) => round.latencyMs,
      (gst) => gst + 20,
    ),
    {
      measure: 'CPU a picture for what is not encoding: makercast less gst-launch',
      unit: 'ms',
      value: ownCpu === null || gstCpu === null || !fps ? null : ((ownCpu - gstCpu) / 60 / fps) * 1000,
      goal: null,
      met: null,
      versus: {},
    },
    row('pictures arrived', 'a second', (round) => round.fps),
    row('pictures that cannot be decoded', 'a round', (round) => round.undecoded),
    row('pictures with a timestamp that stands still', 'a round', (round) => round.repeated),
  ];
}

const number = (value: number | null | undefined): string =>
  value === null || value === undefined ? '-' : value.toFixed(Math.abs(value) < 100 ? 1 : 0);

/** A table for people, with a column for each of the others; the ratio is to the first of them. */
export function table(all: readonly Row[]): string {
  const others = [...new Set(all.flatMap(({ versus }) => Object.keys(versus)))];
  const first = others.slice(0, 1);
  const head = ['measure', 'unit', 'makercast', ...others, ...first.map((name) => `x ${name}`), 'goal', ''];
  const lines = all.map(({ measure, unit, value, goal, met, versus }) => {
    const ratio = (other: number | null | undefined): string =>
      value !== null && other ? (value / other).toFixed(2) : '-';
    const verdict = met === null ? '' : met ? 'met' : 'MISSED';
    return [
      measure,
      unit,
      number(value),
      ...others.map((name) => number(versus[name])),
      ...first.map((name) => ratio(versus[name])),
      goal === null ? '' : `<= ${number(goal)}`,
      verdict,
    ];
  });
  const widths = head.map((_, column) => Math.max(...[head, ...lines].map((line) => line[column]!.length)));
  const pad = (text: string, column: number): string =>
    column < 2 ? text.padEnd(widths[column]!) : text.padStart(widths[column]!);
  return [head, ...lines].map((line) => line.map(pad).join('  ').trimEnd()).join('\n');
}

export const resultsFile = (name: string): string => path.join(root, 'bench', 'results', `${name}.json`);

/** Writes bench/results/NAME.json. */
export async function saveResults(
  name: string,
  results: { rows: readonly unknown[] } & Record<string, unknown>,
): Promise<void> {
  const file = resultsFile(name);
  await mkdir(path.dirname(file), { recursive: true });
  // Another run that adds to it must never read half of it.
  const whole = `${file}.${process.pid}`;
  await writeFile(whole, `${JSON.stringify({ name, ...results }, null, 2)}\n`);
  await rename(whole, file);
}

/** The same, and says so. */
export async function writeResults(...[name, results]: Parameters<typeof saveResults>): Promise<void> {
  await saveResults(name, results);
  process.stdout.write(`\nwritten: ${path.relative(process.cwd(), resultsFile(name))}\n`);
}
