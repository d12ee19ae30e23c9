/**
 * Validates a candidate with convict; everything that is odd about convict 6.2.5 is worked around here.
 *
 * - `load()` applies the environment and the command line once more, over what was loaded; without `env` and `args` it
 *   takes the process's own. Both are given empty, no row names a variable to it, and values go in by `set()`.
 * - It turns text into numbers and booleans by the type of the default ("no" is true, "12abc" is 12). A format of our
 *   own by name, without a `coerce`, is the one way to keep values as they are.
 * - A map where a scalar belongs is reported as "missing" without asking the format, and a cyclic one never ends: maps
 *   are refused before it sees them.
 * - `validate()` leaves bad values in place and throws one text that quotes them (`sensitive` masks only `toString()`).
 *   The format reports each misfit by itself, the text is thrown away, and the instance is not used afterwards.
 * - A section called `constructor` would write into `Object`: layers refuse that name.
 */
import convict from 'convict';
import type { FaultCode } from '../errors.js';
import { misfit, type Form, type Row } from './row.js';

const FORMAT = 'makercast';

interface Property {
  readonly format: typeof FORMAT;
  readonly default: unknown;
  readonly form: Form;
  /** Called with the fault of a value that does not fit. */
  readonly refuse: (code: FaultCode) => void;
}

convict.addFormat({
  name: FORMAT,
  validate(value: unknown, schema: unknown) {
    const { form, refuse } = schema as Property;
    const code = misfit(form, value);
    if (code === undefined) return;
    refuse(code);
    throw new Error(code);
  },
});

interface Tree {
  [name: string]: Tree | Property;
}

/** The fault of each value that does not fit its row, by path. Rows without a value are not looked at. */
export function validate(table: readonly Row[], values: ReadonlyMap<string, unknown>): Map<string, FaultCode> {
  const faults = new Map<string, FaultCode>();
  const tree: Tree = {};
  for (const row of table) {
    const refuse = (code: FaultCode): void => void faults.set(row.path, code);
    place(tree, row.path.split('.'), { format: FORMAT, default: row.default, form: row.form, refuse });
  }
  const candidate = convict<unknown>(tree as convict.Schema<unknown>, { env: {}, args: [] });
  for (const row of table) {
    const value = values.get(row.path);
    if (typeof value === 'object' && value !== null && !Array.isArray(value)) faults.set(row.path, 'setting_type');
    else if (value !== undefined) candidate.set(row.path, value);
  }
  try {
    candidate.validate({ allowed: 'strict' });
  } catch (thrown) {
    if (faults.size === 0) throw thrown;
  }
  return faults;
}

function place(tree: Tree, [name = '', ...rest]: string[], property: Property): void {
  if (rest.length === 0) tree[name] = property;
  else place((tree[name] ??= {}) as Tree, rest, property);
}
