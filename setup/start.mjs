/** `npm start`: from a fresh machine to a stream on the air. */
import { nodeProblem } from './node.mjs';

const problem = nodeProblem(process.versions.node, process.execPath);
if (problem) {
  console.error(problem);
  process.exitCode = 1;
} else {
  import('./begin.mjs').then(({ begin }) => begin());
}
