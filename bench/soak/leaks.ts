/** What makercast's processes hold over the run, and whether it grows. */
import type { Holdings } from '../../test/helpers/agent/processes.js';

export const measures = ['rssMb', 'pssMb', 'handles', 'threads'] as const satisfies (keyof Holdings)[];
export type Measure = (typeof measures)[number];

/** One process at a moment at which nothing was wrong. */
export interface Sample extends Holdings {
  /** `agent`, `capture` or `delivery`. */
  readonly role: string;
  /** What can be compared: one and the same process with the same source, or the same outputs: each has its own threads, buffers and descriptors. */
  readonly group: string;
  /** Seconds since the run began. */
  readonly at: number;
}

export interface Slope {
  /** Growth an hour; null where too little was seen of any one process. */
  readonly perHour: number | null;
  /** Growth over the longest time that was seen of one process. */
  readonly grown: number | null;
  readonly samples: number;
  readonly most: number;
}

/** Less of one process says nothing: heaps and pools are still filling. */
const leastSeconds = 60;
const leastSamples = 6;

/**
 * The slope of a measure over time: one straight line (least squares) for all groups, each with a level of its own. `warmUp`: seconds
 * at the beginning of each group that do not count.
 */
export function slope(samples: readonly Sample[], measure: Measure, warmUp: number): Slope {
  const groups = new Map<string, Sample[]>();
  for (const each of samples) groups.set(each.group, [...(groups.get(each.group) ?? []), each]);
  let [up, across, counted, longest] = [0, 0, 0, 0];
  for (const all of groups.values()) {
    const settled = all.filter(({ at }) => at - all[0]!.at >= warmUp);
    if (settled.length < 2) continue;
    const mean = (of: (sample: Sample) => number): number =>
      settled.reduce((sum, each) => sum + of(each), 0) / settled.length;
    const [meanAt, meanValue] = [mean(({ at }) => at), mean((each) => each[measure])];
    for (const each of settled) {
      up += (each.at - meanAt) * (each[measure] - meanValue);
      across += (each.at - meanAt) ** 2;
    }
    counted += settled.length;
    longest = Math.max(longest, settled.at(-1)!.at - settled[0]!.at);
  }
  const enough = counted >= leastSamples && longest >= leastSeconds;
  return {
    perHour: enough ? (3600 * up) / across : null,
    grown: enough ? (longest * up) / across : null,
    samples: samples.length,
    most: samples.reduce((most, each) => Math.max(most, each[measure]), 0),
  };
}
