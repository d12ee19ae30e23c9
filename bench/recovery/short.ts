/** The short form's verdict: two rounds say whether makercast recovers at all and roughly as promised, not how fast it is. */
import { faults, type Figures } from './faults.js';
import type { Measured } from './table.js';

/** What is said of one fault; nothing where all is well. */
export interface Verdict {
  readonly fault: string;
  readonly problems: readonly string[];
}

/** One round is no distribution, and the machine may be busy: a goal is missed grossly at twice what it allows. */
const leeway = 2;
/** A fault without a goal of its own must be recovered from as well. */
const always = 'media again';

function problemsOf(round: Figures, goals: (typeof faults)[number]['goals']): string[] {
  return [...new Set([...Object.keys(goals), always])].flatMap((measure) => {
    const value = round[measure];
    const { worst, median, least } = goals[measure] ?? {};
    const most = worst ?? median;
    if (value === undefined) return measure in goals ? [`${measure}: not measured`] : [];
    if (value === null) return [`${measure}: never`];
    if (most !== undefined && value > leeway * most)
      return [`${measure}: ${Math.round(value)} ms, goal ${most}, at most ${leeway * most} in the short form`];
    return least !== undefined && value < least ? [`${measure}: ${value} %, goal ${least}`] : [];
  });
}

/** Of each fault that there are rounds of. */
export const verdicts = (measured: readonly Measured[]): Verdict[] =>
  measured.map(({ fault, rounds }) => {
    const goals = faults.find(({ name }) => name === fault)?.goals ?? {};
    const problems = rounds.flatMap((round) => problemsOf(round, goals));
    return { fault, problems: rounds.length === 0 ? ['no round came to its end'] : problems };
  });
