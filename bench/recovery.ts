/**
 * How long viewers see nothing after a fault, makercast beside ffmpeg and gst-launch in the loop that people put around them:
 * `npm run bench:recovery [-- --rounds 20 --long-rounds 3 --only TEXT --add]`. `--only` picks what holds this text of
 * "contender: fault"; bench/results/recovery.json keeps what it knows of the rest, so that it can be run in parts. `--add` keeps
 * the rounds of the same fault and contender too: twenty rounds may then be several runs.
 *
 * `--short` is no measurement: makercast alone, two rounds of each fault and one of the long ones; it keeps nothing, and ends with 1
 * where makercast does not recover or misses a goal grossly (recovery/short.ts).
 */
import { parseArgs } from 'node:util';
import { temporaryFolder } from '../test/helpers/command.js';
import { sample } from '../test/helpers/content/media.js';
import { gstText, type Contender } from './contenders.js';
import { faults, type FaultKind, type Figures } from './recovery/faults.js';
import type { Bench } from './recovery/running.js';
import { verdicts } from './recovery/short.js';
import { known, lines, merged, rows, table, type Measured } from './recovery/table.js';
import { saveResults } from './report.js';

const { values } = parseArgs({
  options: {
    rounds: { type: 'string' },
    'long-rounds': { type: 'string' },
    only: { type: 'string', default: '' },
    add: { type: 'boolean', default: false },
    short: { type: 'boolean', default: false },
  },
});
const rounds = Number(values.rounds ?? (values.short ? 2 : 20));
const longRounds = Number(values['long-rounds'] ?? (values.short ? 1 : 3));
const label = (contender: Contender, fault: FaultKind): string => `${contender}: ${fault.name}`;
const chosen = faults.flatMap((fault) =>
  fault.on
    .filter((contender) => label(contender, fault).includes(values.only))
    .filter((contender) => contender === 'makercast' || !values.short)
    .map((contender) => ({ fault, contender })),
);
if (![rounds, longRounds].every((each) => Number.isInteger(each) && each >= 1) || chosen.length === 0) {
  const all = faults.flatMap((fault) => fault.on.map((contender) => label(contender, fault)));
  process.stderr.write(
    `usage: npm run bench:recovery [-- --rounds N --long-rounds N --only TEXT --add --short]   (how often each fault is made)\n${all.join('\n')}\n`,
  );
  process.exit(2);
}

const shown = (figures: Figures): string =>
  Object.entries(figures)
    .filter(([, value]) => value !== undefined)
    .map(([measure, value]) => `${measure} ${value === null ? 'never' : Math.round(value!)}`)
    .join(', ');

const roundsOf = (measured: readonly Measured[], { name }: FaultKind, of: Contender): Figures[] =>
  measured.filter(({ fault, contender }) => fault === name && contender === of).flatMap((each) => each.rounds);

/** Whatever ends a run early, its rounds until then are kept. */
async function save(fault: FaultKind, contender: Contender, all: readonly Figures[]): Promise<void> {
  const date = new Date().toISOString().slice(0, 10);
  const measured = merged(await known(), { fault: fault.name, contender, date, rounds: all });
  await saveResults('recovery', { rows: rows(measured), measured });
}

/** Each round is a start of its own: what a fault does must not depend on the backoff, damping and log of the one before. */
async function oneRound(fault: FaultKind, contender: Contender, bench: Bench): Promise<Figures> {
  const figures = await fault.round(contender, bench);
  process.stdout.write(`${label(contender, fault)}: ${shown(figures)}\n`);
  return figures;
}

async function measure(bench: Bench): Promise<void> {
  for (const { fault, contender } of chosen) {
    const most = contender === 'makercast' ? Infinity : (fault.otherRounds ?? Infinity);
    const times = Math.min(fault.long ? longRounds : rounds, most);
    const all: Figures[] = values.add ? roundsOf(await known(), fault, contender) : [];
    for (let round = 0; round < times; round += 1) {
      all.push(await oneRound(fault, contender, bench));
      await save(fault, contender, all);
    }
  }
  process.stdout.write(`\nseconds, median / worst\n${table(lines(await known()))}\n`);
}

/** One fault that is not recovered from does not keep the others from being made. */
async function judge(bench: Bench): Promise<void> {
  const date = new Date().toISOString().slice(0, 10);
  const measured: Measured[] = [];
  const broken: string[] = [];
  for (const { fault, contender } of chosen) {
    const all: Figures[] = [];
    try {
      for (let round = 0; round < (fault.long ? longRounds : rounds); round += 1)
        all.push(await oneRound(fault, contender, bench));
    } catch (error) {
      broken.push(fault.name);
      process.stdout.write(`${label(contender, fault)}: ${(error as Error).stack}\n`);
    }
    measured.push({ fault: fault.name, contender, date, rounds: all });
  }
  process.stdout.write(`\nseconds, median / worst\n${table(lines(measured))}\n\n`);
  const bad = verdicts(measured).filter(({ fault, problems }) => problems.length > 0 || broken.includes(fault));
  for (const { fault, problems } of bad)
    process.stdout.write(`FAILED: ${fault}: ${problems.join('; ') || 'a round broke off (see above)'}\n`);
  process.stdout.write(`${measured.length - bad.length} passed, ${bad.length} failed, 0 skipped\n`);
  process.exitCode = bad.length > 0 ? 1 : 0;
}

const { folder, remove } = await temporaryFolder();
try {
  const bench: Bench = { folder, gst: await gstText(folder), film: await sample('h264-bframes.mp4') };
  await (values.short ? judge(bench) : measure(bench));
} finally {
  await remove();
}
