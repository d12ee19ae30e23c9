/** What the recovery benchmark makes of its rounds: gaps, delays, rates, and rows that are put together from several runs. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { gaps, kbps } from '../../bench/recovery/arrivals.js';
import { faults } from '../../bench/recovery/faults.js';
import { verdicts } from '../../bench/recovery/short.js';
import { lines, merged, rows, table, type Measured } from '../../bench/recovery/table.js';
import { lags, type ArrivedTag } from '../helpers/content/flv.js';

const arrived = (at: number, timestamp = at, size = 2): ArrivedTag => ({
  type: 9,
  timestamp,
  at,
  body: Buffer.concat([Buffer.from([0x27, 1]), Buffer.alloc(size - 2)]),
});

describe('arrivals', () => {
  test('a wait that began before the fault counts from its beginning', () => {
    const came = [0, 33, 66, 1066, 1099].map((at) => arrived(at));
    assert.deepEqual(gaps(came, 500), [
      { to: 1066, ms: 1000 },
      { to: 1099, ms: 33 },
    ]);
    assert.deepEqual(gaps(came, 1099), []);
  });

  test('what waits on the way is what came later than the soonest', () => {
    const session = [arrived(1000, 0), arrived(1030, 40), arrived(3080, 80)];
    assert.deepEqual(
      lags(session).map(({ ms }) => ms),
      [10, 0, 2010],
    );
  });

  test('the rate is by the time of the stream, however late and fast it comes', () => {
    const session = Array.from({ length: 100 }, (_, index) => arrived(60_000, index * 40, 500));
    assert.equal(kbps(session, 2000), 100);
    assert.equal(kbps(session, 5000), undefined);
  });
});

describe('rows', () => {
  const [restart, , killed] = faults.map(({ name }) => name) as [string, string, string];
  const of = (fault: string, contender: Measured['contender'], media: (number | null)[]): Measured => ({
    fault,
    contender,
    date: '2026-01-01',
    rounds: media.map((each) => ({ 'media again': each, 'session kept': 100 })),
  });

  test('what was measured anew takes the place of the same fault and contender only', () => {
    const old = [of(restart, 'makercast', [1]), of(restart, 'ffmpeg', [2]), of('a fault of long ago', 'ffmpeg', [3])];
    const fresh = of(restart, 'makercast', [4]);
    const now = merged(merged(old, fresh), of(killed, 'makercast', [5]));
    assert.deepEqual(now, [fresh, old[1], of(killed, 'makercast', [5])]);
  });

  test('what never came is worse than any goal; half of the rounds decide the median', () => {
    const again = (media: (number | null)[]) =>
      lines([of(restart, 'makercast', media)]).find(({ measure }) => measure === 'media again')!;
    assert.deepEqual(again([900, 800, null]).of.makercast, { rounds: 3, median: 900, worst: null });
    assert.equal(again([900, 800, null]).met, false);
    assert.equal(again([900, 800, 1999]).met, true);
    assert.equal(again([1100, 1100, 1100]).met, false);
  });

  test('each measure is two rows, median and worst, each with its own goal and the others beside it', () => {
    const all = rows([of(restart, 'makercast', [900, 800, null]), of(restart, 'ffmpeg', [4000])]);
    assert.deepEqual(
      all.filter(({ measure }) => measure.includes('media again')),
      [
        {
          measure: `${restart}: media again, median`,
          unit: 'ms',
          value: 900,
          goal: 1000,
          met: true,
          versus: { ffmpeg: 4000 },
        },
        {
          measure: `${restart}: media again, worst`,
          unit: 'ms',
          value: null,
          goal: 2000,
          met: false,
          versus: { ffmpeg: 4000 },
        },
      ],
    );
  });

  test('a session that was lost once misses the goal', () => {
    const measured = of(killed, 'makercast', [1, 2]);
    const lost = { ...measured, rounds: [...measured.rounds, { 'media again': 3, 'session kept': 0 }] };
    const kept = (each: Measured) => rows([each]).find(({ measure }) => measure.includes('session kept'))!.met;
    assert.deepEqual([kept(measured), kept(lost)], [true, false]);
    assert.match(table(lines([lost])), /\(3, 0, 0 rounds\)[^]*session kept \| not always \| .* \*\*missed\*\*/);
  });
});

describe('the short form', () => {
  const killed = faults.find(({ name }) => name === 'encoding process killed')!;
  const hung = faults.find(({ name }) => name === 'delivering process hangs (SIGSTOP)')!;
  const problems = (fault: string, ...rounds: Measured['rounds']) =>
    verdicts([{ fault, contender: 'makercast', date: '2026-01-01', rounds }])[0]!.problems;

  test('lets a goal be missed, but not grossly; each round is judged', () => {
    const most = killed.goals['media again']!.worst!;
    const round = (media: number, kept = 100) => ({ 'media again': media, 'session kept': kept });
    assert.deepEqual(problems(killed.name, round(most + 1), round(2 * most)), []);
    assert.match(problems(killed.name, round(10), round(2 * most + 1)).join(), /^media again: 6001 ms/);
    assert.deepEqual(problems(killed.name, round(10), round(10, 0)), ['session kept: 0 %, goal 100']);
  });

  test('what never came back fails, with a goal or without; so does what was not measured', () => {
    assert.deepEqual(hung.goals, {});
    assert.deepEqual(problems(hung.name, { 'media again': 60_000 }), []);
    assert.deepEqual(problems(hung.name, { 'media again': null }), ['media again: never']);
    assert.deepEqual(problems(killed.name, { 'media again': 10 }), ['session kept: not measured']);
    assert.deepEqual(problems(killed.name), ['no round came to its end']);
  });
});
