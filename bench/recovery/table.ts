/** From rounds to rows: median and worst of each measure of each fault, beside the goals, as JSON and as a table. */
import { readFile } from 'node:fs/promises';
import { contenders, type Contender } from '../contenders.js';
import { median, resultsFile } from '../report.js';
import { faults, type FaultKind, type Figures, type Goal } from './faults.js';

/** All rounds of one fault on one contender. */
export interface Measured {
  readonly fault: string;
  readonly contender: Contender;
  /** Day on which it was measured. */
  readonly date: string;
  readonly rounds: readonly Figures[];
}

interface Summary {
  readonly rounds: number;
  /** Null where it never came in half of the rounds, or in one. */
  readonly median: number | null;
  readonly worst: number | null;
}

export interface RecoveryRow {
  readonly fault: string;
  readonly measure: string;
  readonly unit: 'ms' | '%';
  readonly goal: Goal | null;
  readonly met: boolean | null;
  readonly of: Readonly<Partial<Record<Contender, Summary>>>;
}

/** What was measured before, of all faults. */
export async function known(): Promise<Measured[]> {
  try {
    return (JSON.parse(await readFile(resultsFile('recovery'), 'utf8')) as { measured: Measured[] }).measured;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return [];
    throw error;
  }
}

/** `fresh` in place of what is known of the same fault and contender; in the order of the faults. */
export function merged(old: readonly Measured[], fresh: Measured): Measured[] {
  const place = ({ fault, contender }: Measured): number =>
    faults.findIndex(({ name }) => name === fault) * contenders.length + contenders.indexOf(contender);
  return [
    ...old.filter((each) => place(each) !== place(fresh) && faults.some(({ name }) => name === each.fault)),
    fresh,
  ].sort((one, other) => place(one) - place(other));
}

/** Percentages are worse the smaller they are. */
const unitOf = (measure: string): RecoveryRow['unit'] => (measure === 'session kept' ? '%' : 'ms');

function summary(rounds: readonly Figures[], measure: string): Summary | undefined {
  const values = rounds.map((round) => round[measure]).filter((value) => value !== undefined);
  if (values.length === 0) return undefined;
  const finite = (value: number | null): number | null => (value === null || Number.isFinite(value) ? value : null);
  const rounded = (value: number | null): number | null => (value === null ? null : Math.round(value));
  if (unitOf(measure) === '%') {
    const all = values.map((value) => value ?? 0);
    return { rounds: all.length, median: median(all), worst: Math.min(...all) };
  }
  // What never came took longer than anything.
  const all = values.map((value) => value ?? Infinity);
  return { rounds: all.length, median: rounded(finite(median(all))), worst: rounded(finite(Math.max(...all))) };
}

function met(own: Summary | undefined, goal: Goal | undefined): boolean | null {
  if (!own || !goal) return null;
  const within = (value: number | null, most = Infinity): boolean => (value ?? Infinity) <= most || most === Infinity;
  return (
    within(own.median, goal.median) && within(own.worst, goal.worst) && (own.worst ?? 0) >= (goal.least ?? -Infinity)
  );
}

function rowsOf({ name, goals }: FaultKind, measured: readonly Measured[]): RecoveryRow[] {
  const own = measured.filter(({ fault }) => fault === name);
  const measures = new Set(own.flatMap(({ rounds }) => rounds.flatMap((round) => Object.keys(round))));
  return [...measures].map((measure) => {
    const of = Object.fromEntries(
      own.flatMap(({ contender, rounds }) => {
        const each = summary(rounds, measure);
        return each ? [[contender, each] as const] : [];
      }),
    ) as RecoveryRow['of'];
    return {
      fault: name,
      measure,
      unit: unitOf(measure),
      goal: goals[measure] ?? null,
      met: met(of.makercast, goals[measure]),
      of,
    };
  });
}

export const rows = (measured: readonly Measured[]): RecoveryRow[] =>
  faults.flatMap((fault) => rowsOf(fault, measured));

const seconds = (ms: number | null): string => (ms === null ? 'never' : (ms / 1000).toFixed(2));

function cell(unit: RecoveryRow['unit'], each: Summary | undefined): string {
  if (!each) return '-';
  if (unit === '%')
    return `${each.worst === 100 ? 'always' : each.median === 0 ? 'never' : 'not always'} (${each.rounds})`;
  return `${seconds(each.median)} / ${seconds(each.worst)} (${each.rounds})`;
}

function goalText(unit: RecoveryRow['unit'], goal: Goal | null): string {
  if (!goal) return '';
  if (unit === '%') return 'always';
  const bound = (most: number | undefined): string => (most === undefined ? '' : seconds(most));
  return `<= ${[bound(goal.median), bound(goal.worst)].join(' / ').trim()}`;
}

/** For people: seconds, median / worst (rounds). */
export function table(all: readonly RecoveryRow[]): string {
  const head = ['', ...contenders, 'goal', ''];
  const lines = all.map(({ measure, unit, goal, met: kept, of }) => [
    `  ${measure}`,
    ...contenders.map((contender) => cell(unit, of[contender])),
    goalText(unit, goal),
    kept === null ? '' : kept ? 'met' : 'MISSED',
  ]);
  const widths = head.map((_, column) => Math.max(...[head, ...lines].map((line) => line[column]!.length)));
  const text = (line: readonly string[]): string =>
    line
      .map((each, column) => each.padEnd(widths[column]!))
      .join('  ')
      .trimEnd();
  const titled = lines.flatMap((line, index) =>
    all[index]!.fault === all[index - 1]?.fault ? [text(line)] : [all[index]!.fault, text(line)],
  );
  return [text(head), ...titled].join('\n');
}
