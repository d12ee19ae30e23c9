/** `makercast plan`: prints what would go on the air, and the text of its pipelines; `--explain`: every other way, and why it was not taken. */
import { describe } from '../../pipelines/describe.js';
import type { Plan } from '../../pipelines/plan.js';
import { unitText } from '../../pipelines/sources/unit.js';
import type { Redactor } from '../config/redactor.js';
import type { Fault } from '../errors.js';
import { ProbeCache } from '../machine/probecache.js';
import { machineFor } from '../machine/machine.js';
import type { Storage } from '../machine/storage/storage.js';
import type { Loaded } from '../steering/source.js';
import { type Considered, faultOf, Planner } from '../broadcast/planner.js';
import { check } from './check.js';

/** Nobody waits for a picture here: a long playlist is examined to its end. */
const patienceMs = 600_000;

/** Returns the exit code. Throws the fault where there is no plan. No plan holds a secret; what else is said passes `redactor`. */
export async function showPlan(
  loaded: Loaded,
  folder: string,
  storage: Storage,
  redactor: Redactor,
  explain: boolean,
  print: (line: string) => void,
): Promise<number> {
  if (loaded.problems.length > 0) return check(loaded, print);
  const warn = (fault: Fault): void => print(`warning ${redactor.redact(fault.message)}`);
  // What the first look has found need not be looked for by the second.
  const cache = new ProbeCache();
  const planner = new Planner((wish) => machineFor(wish, storage, warn, { patienceMs, cache }), folder);
  if (explain) for (const line of explained(await planner.consider(loaded.settings))) print(line);
  const { plan } = await planner.make(loaded.settings);
  if (plan.missed) throw faultOf(plan.missed);
  for (const line of written(plan)) print(line);
  return 0;
}

/** The candidates in their order, and what became of each. */
export function explained({ wanted: { video }, why, candidates }: Considered): string[] {
  const { width, height, fps, bitrateKbps } = video;
  const [best, second] = candidates.filter(({ plan }) => plan !== undefined);
  return [
    `# wanted: ${width}x${height} at ${fps} fps, ${bitrateKbps} kbit/s (this machine's default: ${why})`,
    ...candidates.map((candidate) => {
      const { what, plan, refused } = candidate;
      if (!plan) return `# no      ${what}: ${refused!.what}`;
      const place = candidate === best ? 'taken' : candidate === second ? 'next' : 'works';
      return `# ${place.padEnd(7)} ${what}: ${candidate.why}`;
    }),
    '#',
  ];
}

/** What goes on the air, and each pipeline with what is set in it; a line each, but for those of a pipeline's text. */
export function written(plan: Plan): string[] {
  return [
    `# ${describe(plan)}`,
    ...(plan.encoderUnit ? [`# the camera's H.264 encoder is set up by ${unitText(plan.encoderUnit)}`] : []),
    ...plan.notes.map((note) => `# ${note}`),
    ...plan.pipelines.flatMap(({ text, properties }) => [
      text,
      ...properties.map(({ element, property, value }) => `#   ${element}.${property} = ${JSON.stringify(value)}`),
    ]),
  ];
}
