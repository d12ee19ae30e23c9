/** From rounds to rows: median and worst of each measure of each fault, beside the goals, as JSON and as a table. */
import { readFile } from 'node:fs/promises';
import { contenders, type Contender } from '../contenders.js';
import { median, resultsFile, type Row } from '../report.js';
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

/** One measure of one fault, of all who were tried. */
export interface Line {
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
const unitOf = (measure: string): Line['unit'] => (measure === 'session kept' ? '%' : 'ms');

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

function linesOf({ name, goals }: FaultKind, measured: readonly Measured[]): Line[] {
  const own = measured.filter(({ fault }) => fault === name);
  const measures = new Set(own.flatMap(({ rounds }) => rounds.flatMap((round) => Object.keys(round))));
  return [...measures].map((measure) => {
    const of = Object.fromEntries(
      own.flatMap(({ contender, rounds }) => {
        const each = summary(rounds, measure);
        return each ? [[contender, each] as const] : [];
      }),
    ) as Line['of'];
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

export const lines = (measured: readonly Measured[]): Line[] => faults.flatMap((fault) => linesOf(fault, measured));

/** What `figure` is of each of the others. */
const versus = ({ of }: Line, figure: 'median' | 'worst'): Row['versus'] =>
  Object.fromEntries(
    contenders.flatMap((contender) =>
      contender === 'makercast' || !of[contender] ? [] : [[contender, of[contender][figure]] as const],
    ),
  );

/** The rows of every benchmark: here two of each measure, its median and its worst, and of percentages the worst alone. */
export const rows = (measured: readonly Measured[]): Row[] =>
  lines(measured).flatMap((line) => {
    const own = line.of.makercast;
    return (line.unit === '%' ? (['worst'] as const) : (['median', 'worst'] as const)).map((figure) => {
      const goal = (line.unit === '%' ? line.goal?.least : line.goal?.[figure]) ?? null;
      return {
        measure: `${line.fault}: ${line.measure}, ${figure}`,
        unit: line.unit,
        value: own ? own[figure] : null,
        goal,
        met: goal === null ? null : met(own, line.unit === '%' ? { least: goal } : { [figure]: goal }),
        versus: versus(line, figure),
      };
    });
  });

const seconds = (ms: number | null): string => (ms === null ? 'never' : (ms / 1000).toFixed(2));

function cell(unit: Line['unit'], each: Summary | undefined): string {
  if (!each) return '';
  if (unit === '%') return each.worst === 100 ? 'always' : each.median === 0 ? 'never' : 'not always';
  return `${seconds(each.median)} / ${seconds(each.worst)}`;
}

function goalText(unit: Line['unit'], goal: Goal | null): string {
  if (!goal) return '';
  if (unit === '%') return 'always';
  if (goal.median === undefined) return `worst ≤ ${seconds(goal.worst ?? null)}`;
  return `≤ ${seconds(goal.median)}${goal.worst === undefined ? '' : ` / ${seconds(goal.worst)}`}`;
}

/** The table of docs/performance.md, in Markdown: seconds, median / worst, and how many rounds of each contender stand behind them. */
export function table(all: readonly Line[]): string {
  const cells = all.map(({ fault, measure, unit, goal, met: kept, of }, index) => {
    // Not every measure is known of everybody.
    const ofFault = all.filter((line) => line.fault === fault);
    const tried = contenders.map((each) => Math.max(...ofFault.map((line) => line.of[each]?.rounds ?? 0))).join(', ');
    return [
      fault === all[index - 1]?.fault ? '' : `${fault} (${tried} rounds)`,
      measure,
      ...contenders.map((contender) => cell(unit, of[contender])),
      goalText(unit, goal),
      kept === null ? '' : kept ? 'met' : '**missed**',
    ];
  });
  const head = ['fault', 'measure', ...contenders, 'goal', ''];
  return [head, head.map(() => '---'), ...cells].map((line) => `| ${line.join(' | ')} |`).join('\n');
}
