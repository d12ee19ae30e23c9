/** Prints how old the proofs of `.ci/full` are, and what has changed since each; for `.ci/run`. */
import { root } from '../ready.mjs';
import { parts } from './parts.mjs';
import { table } from './table.mjs';

for (const line of await table(parts, root, new Date())) console.log(line);
