/** What one layer says, whatever it is read from: values that are not validated yet, and what is wrong with it. */
import type { Problem } from './problem.js';

/** One value for one setting; not yet validated. */
export interface Entry {
  readonly path: string;
  readonly value: unknown;
  readonly layer: string;
  /** As the operator gave it: an environment variable, or the path. */
  readonly name: string;
}

/** What a layer says, in order: entries that set, and paths below which it removes. */
export interface Reading {
  readonly steps: (Entry | { readonly remove: string })[];
  /** Paths of what should be a map and is none, so that what the operator wanted below is unknown; '' is the whole. */
  readonly broken: string[];
  readonly problems: Problem[];
  readonly warnings: string[];
  readonly secrets: string[];
  /** Paths that this release does not know, or not so, and that were set aside. */
  readonly ignored: string[];
}

export function emptyReading(): Reading {
  return { steps: [], broken: [], problems: [], warnings: [], secrets: [], ignored: [] };
}
