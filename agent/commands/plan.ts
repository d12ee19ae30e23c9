/** `makercast plan`: prints what would go on the air, and the text of its pipelines. */
import { describe } from '../../pipelines/describe.js';
import type { Storage } from '../machine/storage.js';
import { factsFor } from '../machine/facts.js';
import type { Loaded } from '../settings.js';
import { Planner } from '../supervisor/planner.js';
import { check } from './check.js';

/** Returns the exit code. Throws the fault where there is no plan. */
export async function showPlan(
  loaded: Loaded,
  folder: string,
  storage: Storage,
  print: (line: string) => void,
): Promise<number> {
  if (loaded.problems.length > 0) return check(loaded, print);
  const planner = new Planner(
    (wanted) => factsFor(wanted, storage, (fault) => print(`warning ${fault.message}`)),
    folder,
  );
  const made = await planner.make(loaded.settings);
  print(`# ${describe(made)}`);
  for (const { text, properties } of made.pieces) {
    print(text);
    for (const { element, property, value } of properties)
      print(`#   ${element}.${property} = ${JSON.stringify(value)}`);
  }
  return 0;
}
