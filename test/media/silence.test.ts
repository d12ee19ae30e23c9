/** Which silence counts: not that of a process that waits for a processor. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  beatCheckMs,
  Silence,
  waitingShare,
  type ProcessReading,
  type ThreadReading,
} from '../../agent/media/silence.js';

/** What a thread does with each quarter of a second: of it, so many ms on a processor and waiting for one; and whether it can run at its end. */
type Doing = readonly [ranMs: number, waitedMs: number, end: 'R' | 'S'];

const sleeps: Doing = [0, 0, 'S'];
const spins: Doing = [beatCheckMs, 0, 'R'];
const spinsByHalves: Doing = [beatCheckMs / 2, beatCheckMs / 2, 'R'];
const starves: Doing = [0, 0, 'R'];

const thread = (index: number, [ran, waited, end]: Doing): ThreadReading => ({
  isRunnable: end === 'R',
  ranMs: 1000 + index * ran,
  waitedMs: 500 + index * waited,
});

/** The readings of a process whose threads do the same all the time. */
const readings = (count: number, main: Doing, ...others: Doing[]): ProcessReading[] =>
  Array.from({ length: count }, (_, index) => ({
    atMs: 70_000 + index * beatCheckMs,
    main: thread(index, main),
    others: new Map(others.map((other, id) => [id, thread(index, other)])),
  }));

test('the part of the time that a process waits for a processor', () => {
  const table: [string, ProcessReading[], number][] = [
    ['nothing is known', [], 0],
    ['one reading tells nothing', readings(1, starves), 0],
    ['it sleeps, or is stopped', readings(5, sleeps), 0],
    ['it spins', readings(5, spins), 0],
    ['it spins, and shares the processor', readings(5, spinsByHalves), 0.5],
    ['it can run and never does: the kernel has not counted the wait yet', readings(5, starves), 1],
    ['it had to wait, and sleeps again', readings(5, [25, 200, 'S']), 0.8],
    ['it sleeps while another thread has to wait', readings(5, sleeps, [50, 150, 'S'], [10, 25, 'S']), 0.6],
    ['it spins while another thread has to wait', readings(5, spins, starves), 0],
    ['what it does not sleep is its own', readings(5, [125, 0, 'S'], starves), 0.5],
    ['both wait', readings(5, [50, 100, 'S'], starves), 0.8],
  ];
  for (const [name, taken, share] of table) assert.equal(Math.round(waitingShare(taken) * 1e6) / 1e6, share, name);
});

test('a wait that began before the first reading counts no longer than what was seen of it', () => {
  const [before, now] = readings(2, [50, 3000, 'S']);
  assert.equal(waitingShare([before!, now!]), 0.8);
});

test('a thread that has just begun, and a clock that stands still, tell nothing', () => {
  const [before, now] = readings(2, sleeps, starves);
  assert.equal(waitingShare([{ ...before!, others: new Map() }, now!]), 0);
  assert.equal(waitingShare([now!, now!]), 0);
});

/** Looks at a process of which nothing comes, until it is past its patience: the look, and what is said of it. */
function until(patienceMs: number, taken: ProcessReading[], usualMs = 400): [ms: number, said: string] {
  const silence = new Silence(usualMs);
  for (let look = 1; ; look++) {
    silence.look(() => taken.shift());
    if (silence.isPast(patienceMs)) return [look * beatCheckMs, `${silence}`];
  }
}

test('how long a silence may last', () => {
  const table: [string, ProcessReading[], number, string][] = [
    ['it sleeps, or is stopped', readings(200, sleeps), 1500, '1.5 s'],
    ['it spins', readings(200, spins), 1500, '1.5 s'],
    ['it spins, on a busy machine', readings(200, spinsByHalves), 3000, '3 s, 1.5 s of it waiting for a processor'],
    ['it starves', readings(200, starves), 30_000, '30 s, 30 s of it waiting for a processor'],
    ['the kernel does not tell', [], 1500, '1.5 s'],
    ['a little waiting is not worth a word', readings(200, [10, 10, 'S']), 1750, '1.8 s'],
  ];
  for (const [name, taken, ms, said] of table) assert.deepEqual(until(1500, taken), [ms, said], name);
  assert.deepEqual(until(60_000, readings(400, starves))[0], 60_000, 'patience itself is never shortened');
});

test('one that got a processor again and still says nothing is found by what it then had', () => {
  const starved = readings(4, starves);
  const last = starved.at(-1)!;
  // From now on it sleeps.
  const asleep = Array.from({ length: 200 }, (_, index) => ({
    ...last,
    atMs: last.atMs + (index + 1) * beatCheckMs,
    main: { ...last.main, isRunnable: false },
  }));
  // It is read from the second look on, and starved in 3 of the first intervals: ten looks count for 10 * (1 - 3 / 8), nine for fewer than six.
  assert.equal(until(1500, [...starved, ...asleep])[0], 2500);
});

test('a usual silence is not looked into, and what comes begins another', () => {
  let reads = 0;
  const read = () => {
    reads += 1;
    return undefined;
  };
  const silence = new Silence(2 * beatCheckMs);
  for (let i = 0; i < 10; i++) {
    silence.look(read);
    silence.look(read);
    silence.end();
  }
  assert.equal(reads, 0);
  for (let i = 0; i < 3; i++) silence.look(read);
  assert.equal(reads, 1);
  assert.equal(silence.isPast(3 * beatCheckMs), true);
  silence.end();
  assert.equal(silence.isPast(beatCheckMs), false);
});
