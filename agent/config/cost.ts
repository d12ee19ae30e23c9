/** What it costs to go from one set of settings to another. */
import { costs, type Cost } from './row.js';
import { get, isOutputRow, rows, type Settings } from './settings.js';

export interface Change {
  /** A setting, or `outputs.<name>` for an output that came or went. */
  readonly path: string;
  readonly cost: Cost;
}

/** The dearest cost among all that changed, and each change with its own; `none` and an empty list if nothing did. */
export function cost(before: Settings, after: Settings): { cost: Cost; changed: Change[] } {
  const changed: Change[] = [];
  const compare = (path: string, price: Cost): void => {
    if (!same(get(before, path), get(after, path))) changed.push({ path, cost: price });
  };
  for (const row of rows) {
    if (!isOutputRow(row)) compare(row.path, row.cost);
  }
  for (const name of new Set([...Object.keys(before.outputs), ...Object.keys(after.outputs)])) {
    if (Object.hasOwn(before.outputs, name) && Object.hasOwn(after.outputs, name)) {
      for (const row of rows) {
        if (isOutputRow(row)) compare(row.path.replace('*', name), row.cost);
      }
    } else {
      changed.push({ path: `outputs.${name}`, cost: 'live' });
    }
  }
  const dearest = Math.max(0, ...changed.map((change) => costs.indexOf(change.cost)));
  return { cost: costs[dearest]!, changed };
}

function same(a: unknown, b: unknown): boolean {
  if (!Array.isArray(a) || !Array.isArray(b)) return a === b;
  return a.length === b.length && a.every((item, i) => item === b[i]);
}
