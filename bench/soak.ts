/**
 * makercast as a whole under one fault after the other, for as long as is asked for: `npm run soak -- --minutes 60 [--seed 7]
 * [--spare delivery]`. `--spare` leaves out what is done to one part, so that a child lives for all of the run and is seen growing.
 */
import { parseArgs } from 'node:util';
import { until } from '../test/helpers/feed.js';
import { wallClock } from '../test/helpers/content/flv.js';
import { lasts } from '../test/helpers/interval.js';
import { available } from '../test/helpers/network/namespace.js';
import { holdings } from '../test/helpers/agent/processes.js';
import { median, writeResults, type Row } from './report.js';
import { kinds, type FaultKind } from './soak/faults.js';
import { measures, slope, type Measure, type Sample } from './soak/leaks.js';
import { recorded } from './soak/recordings.js';
import { startScene, type Scene } from './soak/scene.js';
import { chanceOf, schedule } from './soak/schedule.js';

const { values } = parseArgs({
  options: {
    minutes: { type: 'string', default: '60' },
    seed: { type: 'string' },
    spare: { type: 'string', default: '' },
  },
});
const minutes = Number(values.minutes);
const seed = Number(values.seed ?? Date.now() % 1_000_000);
const { spare } = values;
if (!(minutes > 0) || !Number.isInteger(seed) || (spare && !kinds.some(({ part }) => part === spare))) {
  const parts = [...new Set(kinds.map(({ part }) => part))].join('|');
  process.stderr.write(`usage: npm run soak -- --minutes N [--seed WHOLE_NUMBER] [--spare ${parts}]\n`);
  process.exit(2);
}

/** Every kind of fault must be made at least once in a run of so many minutes; in a shorter one, what fits. */
const isLong = minutes >= 10;
/** Seconds of each process that are not judged. Heaps, pools and caches fill at first: in ten minutes delivery grew for 180 s, the agent for 270; then both stood still. */
const warmUp = (measure: Measure): number => (!isLong ? 20 : measure.endsWith('Mb') ? 300 : 60);
/** What a measure may grow by over the run without that being a leak. In a short one, a heap that fills looks like one that leaks. */
const mayGrowMb = isLong ? 12 : 25;
const mayGrow = (role: string, measure: Measure): number => {
  if (measure.endsWith('Mb')) return mayGrowMb;
  // The binding keeps the main contexts of the last two connections of each of three outputs, an eventfd each, from when it has lost
  // one: six more. A line through a step in the middle rises by one and a half of it.
  return role === 'delivery' && measure === 'handles' ? 10 : 4;
};
const roles = ['agent', 'capture', 'delivery', 'soak'] as const;
/** A fragment that was not complete, and what was in the socket: what is lost with a delivery process besides the time it is away. */
const fragmentSeconds = 3;
const toleranceSeconds = 2;

interface Outcome {
  readonly kind: FaultKind;
  readonly seconds: number;
}

const say = (text: string): void => void process.stdout.write(`${text}\n`);
const failures: string[] = [];
const outcomes: Outcome[] = [];
const samples: Sample[] = [];

/** Waits for peace, in which nothing but the three processes is left, and takes down what they hold. */
async function measure(scene: Scene, began: number): Promise<void> {
  const children = ['capture', 'delivery'];
  const roleOf = (command: string): string => children.find((role) => command.includes(`makercast-${role}`)) ?? '';
  const alone = await until(
    () => {
      const all = scene.agent.processes();
      return all.length === 3 && children.every((role) => all.some(({ command }) => roleOf(command) === role)) && all;
    },
    10_000,
    'no other processes than agent, capture and delivery',
  ).catch((error: Error) => {
    const list = scene.agent.processes().map(({ pid, command }) => `${pid} ${command}`);
    throw new Error(`${error.message}: ${list.join(', ')}`);
  });
  for (const { pid, command } of [...alone, { pid: process.pid, command: '' }]) {
    const now = holdings(pid);
    const role = pid === process.pid ? 'soak' : roleOf(command) || 'agent';
    const kind = { capture: scene.source, delivery: scene.third.enabled }[role];
    const group = `${pid} ${String(kind)}`;
    if (now) samples.push({ ...now, role, group, at: (wallClock() - began) / 1000 });
  }
}

/** What was going on, for whoever has to find out why. */
function circumstances(scene: Scene): string {
  const lines = scene.lines.slice(-25).map(({ time, level, message }) => `  ${time} ${level} ${message}`);
  return [...lines, `  ${JSON.stringify(scene.lastStatus)}`].join('\n');
}

async function makeFaults(scene: Scene, usable: readonly FaultKind[], began: number): Promise<void> {
  const end = began + minutes * 60_000;
  let number = 0;
  for (const step of schedule(usable, minutes, seed)) {
    if (!step.isFirst && wallClock() > end) return;
    number += 1;
    const { kind } = step;
    await lasts(step.pauseSeconds * 1000, 'no fault');
    const clock = new Date(wallClock() - began).toISOString().slice(11, 19);
    try {
      const since = await kind.make(scene, chanceOf(step.seed), isLong);
      const seconds = await scene.recovered(since);
      outcomes.push({ kind, seconds });
      say(`${clock}  ${String(number).padStart(4)}  ${kind.name.padEnd(32)} recovered after ${seconds.toFixed(1)} s`);
      await measure(scene, began);
    } catch (error) {
      say(`${clock}  ${String(number).padStart(4)}  ${kind.name.padEnd(32)} FAILED`);
      // What would follow would say nothing of its own.
      throw new Error(`${kind.name}: ${(error as Error).message}\n${circumstances(scene)}`);
    }
  }
}

/** What was on the air and is not in the recording, against what went with each delivery process that was killed. */
async function judgeRecording(scene: Scene, onAirSeconds: number): Promise<void> {
  const { files, seconds, pictures, wrong } = await recorded(scene.recordings);
  failures.push(...wrong);
  const lost = outcomes.filter(({ kind }) => kind.part === 'delivery');
  const allowed = lost.reduce((sum, outcome) => sum + outcome.seconds + fragmentSeconds, toleranceSeconds);
  const missing = onAirSeconds - seconds;
  const ends = `${lost.length} ends of delivery may have cost ${allowed.toFixed(1)} s`;
  say(
    `recorded: ${files} files, ${pictures} pictures, ${seconds.toFixed(1)} s of ${onAirSeconds.toFixed(1)} s on the air; ${ends}`,
  );
  if (missing > allowed) failures.push(`${missing.toFixed(1)} s of the recording are missing; ${ends}`);
  if (missing < -toleranceSeconds)
    failures.push(`the recording is ${(-missing).toFixed(1)} s longer than the broadcast`);
}

const number = (value: number | null): string => (value === null ? '-' : value.toFixed(1));

const samplesOf = (role: string): Sample[] => samples.filter((sample) => sample.role === role);

function judgeGrowth(): void {
  say('\nwhat was held                 most   an hour   over the run   samples');
  for (const role of roles) {
    const own = samplesOf(role);
    for (const measure of measures) {
      const { perHour, grown, samples: count, most: highest } = slope(own, measure, warmUp(measure));
      const most = mayGrow(role, measure);
      const columns = [
        highest.toFixed(0).padStart(9),
        number(perHour).padStart(9),
        number(grown).padStart(14),
        `${count}`.padStart(9),
      ];
      // This program is shown, and not judged: its heap is as large as Node.js likes.
      const isLeak = role !== 'soak' && grown !== null && grown > most;
      say(`${`${role}, ${measure}`.padEnd(25)}${columns.join(' ')}${isLeak ? '  GROWS' : ''}`);
      if (!isLeak) continue;
      const course = own
        .map((each) => `${each.group} at ${each.at.toFixed(0)} s: ${each[measure].toFixed(0)}`)
        .join(', ');
      failures.push(`${measure} of ${role} has grown by ${grown.toFixed(1)}, more than ${most}: ${course}`);
    }
  }
}

const recoveries = (kind: FaultKind): number[] =>
  outcomes.filter((outcome) => outcome.kind === kind).map(({ seconds }) => seconds);

/** The rows of bench/results/soak.json: what each fault took, what was left behind. */
function rows(usable: readonly FaultKind[]): Row[] {
  const row = (measure: string, unit: string, value: number | null, goal: number | null): Row => ({
    measure,
    unit,
    value,
    goal,
    met: value === null || goal === null ? null : value <= goal,
    versus: {},
  });
  const grown = roles
    .filter((role) => role !== 'soak')
    .flatMap((role) =>
      measures.map((measure) => {
        const unit = measure.endsWith('Mb') ? 'MB' : 'number';
        const { grown } = slope(samplesOf(role), measure, warmUp(measure));
        return row(`${role}, ${measure}: grown over the run`, unit, grown, mayGrow(role, measure));
      }),
    );
  const recovered = usable
    .filter((kind) => recoveries(kind).length > 0)
    .map((kind) =>
      row(`${kind.name}: media again, worst of ${recoveries(kind).length}`, 's', Math.max(...recoveries(kind)), null),
    );
  return [
    row('faults made', 'number', outcomes.length, null),
    row('failures', 'number', failures.length, 0),
    ...recovered,
    ...grown,
  ];
}

function showFaults(usable: readonly FaultKind[]): void {
  say('\nfault                              times   median s   worst s');
  for (const kind of usable) {
    const all = recoveries(kind);
    const columns = [
      `${all.length}`.padStart(7),
      number(median(all)).padStart(10),
      number(all.length > 0 ? Math.max(...all) : null).padStart(9),
    ];
    say(`${kind.name.padEnd(33)}${columns.join(' ')}`);
  }
}

const network = available();
if (!network && process.env['CI']) {
  process.stderr.write('Network namespaces cannot be made here; in CI they must be.\n');
  process.exit(1);
}
const usable = kinds.filter(({ part, needsNetwork }) => (network || !needsNetwork) && part !== spare);
const how = `--minutes ${minutes} --seed ${seed}${spare && ` --spare ${spare}`}`;
say(`soak of ${minutes} minutes, seed ${seed} (npm run soak -- ${how})`);
if (!network) say('network namespaces cannot be made here: no faults of the network');

await using scene = await startScene(network, minutes);
for (const signal of ['SIGINT', 'SIGTERM'] as const)
  process.once(signal, () => void scene[Symbol.asyncDispose]().finally(() => process.exit(1)));
try {
  await scene.recovered(wallClock());
  const began = scene.arrivals.server.firstAt;
  await makeFaults(scene, usable, began);
  const onAirSeconds = (wallClock() - began) / 1000;
  const { code } = await scene.agent.stop();
  if (code !== 0) failures.push(`makercast ended with ${code}`);
  await scene.agent.gone();
  failures.push(...scene.violations);
  await judgeRecording(scene, onAirSeconds);
} catch (error) {
  failures.push((error as Error).message);
}
judgeGrowth();
showFaults(usable);
// A short run says whether something broke; its figures are not worth keeping, nor are those of a part alone.
if (isLong && !spare) await writeResults('soak', { minutes, seed, rows: rows(usable) });
say(
  failures.length === 0
    ? `\nnothing failed (seed ${seed})`
    : `\nFAILED (seed ${seed}):\n${failures.map((each) => `- ${each}`).join('\n')}`,
);
process.exitCode = failures.length === 0 ? 0 : 1;
