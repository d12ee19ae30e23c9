/** Lays layers over each other, and makes the tree of settings of what results. */
import { secretsOf } from './layer.js';
import type { Entry, Reading } from './reading.js';
import { outputName, rowOf, type Settings } from './settings.js';

/** The secrets of all entries of all layers, those too that a higher layer covers. */
export function entrySecrets(readings: readonly Reading[]): string[] {
  const entries = readings.flatMap((reading) => reading.steps).filter((step) => 'value' in step);
  const apart = new Set(entries.filter(({ path }) => path.endsWith('.key')).map(({ path }) => outputName(path)));
  return entries.flatMap(({ path, value }) => {
    const row = rowOf(path);
    return row ? secretsOf(row, value, apart.has(outputName(path))) : [];
  });
}

/** Lays the layers over each other, field by field; what is removed takes everything below it along. */
export function merge(readings: readonly Reading[]): Map<string, Entry> {
  const entries = new Map<string, Entry>();
  for (const step of readings.flatMap((reading) => reading.steps)) {
    if ('remove' in step) {
      for (const path of [...entries.keys()]) {
        if (path === step.remove || path.startsWith(`${step.remove}.`)) entries.delete(path);
      }
    } else {
      entries.set(step.path, step);
    }
  }
  return entries;
}

/** The tree of all values. There is one for each row, each has passed its form, and that is what Settings says. */
export function build(values: ReadonlyMap<string, unknown>): Settings {
  const tree: Record<string, unknown> = { outputs: {} };
  for (const [path, value] of values) {
    const parts = path.split('.');
    const field = parts.pop() ?? '';
    let node = tree;
    for (const part of parts) {
      if (!Object.hasOwn(node, part)) node[part] = {};
      node = node[part] as Record<string, unknown>;
    }
    node[field] = value;
  }
  return tree as unknown as Settings;
}
