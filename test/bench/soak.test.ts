/** What a soak decides by itself: which faults come in which order, and whether something grows. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { kinds } from '../../bench/soak/faults.js';
import { slope, type Sample } from '../../bench/soak/leaks.js';
import { schedule } from '../../bench/soak/schedule.js';

describe('the schedule', () => {
  const first = (count: number, minutes: number, seed: number) => {
    const steps = schedule(kinds, minutes, seed);
    return Array.from({ length: count }, () => steps.next().value);
  };
  const isChild = (part: string): boolean => part === 'capture' || part === 'delivery';
  const seeds = fc.integer({ min: 0, max: 2 ** 32 - 1 });

  test('is decided by its seed', () => {
    assert.deepEqual(first(100, 60, 7), first(100, 60, 7));
    assert.notDeepEqual(first(100, 60, 7), first(100, 60, 8));
  });

  test('has each kind in its first round, in three minutes as in sixty, and no child struck twice in a row', () => {
    fc.assert(
      fc.property(seeds, fc.constantFrom(3, 60), (seed, minutes) => {
        const steps = first(10 * kinds.length, minutes, seed);
        const names = steps.filter(({ isFirst }) => isFirst).map(({ kind }) => kind.name);
        assert.deepEqual(names.toSorted(), kinds.map(({ name }) => name).toSorted());
        const often = (test: (part: string) => boolean): number => steps.filter(({ kind }) => test(kind.part)).length;
        assert.ok(often(isChild) > 10 && often(isChild) < often((part) => part === 'server') / 1.5);
        const twice = steps.find(({ kind }, i) => isChild(kind.part) && kind.part === steps[i - 1]?.kind.part);
        assert.equal(twice, undefined);
      }),
    );
  });

  test('begins with what fits, where the time is short', () => {
    const steps = first(2 * kinds.length, 1, 3).filter(({ isFirst }) => isFirst);
    const seconds = steps.reduce((sum, { kind, pauseSeconds }) => sum + kind.seconds + pauseSeconds, 0);
    assert.ok(steps.length > 4 && seconds <= 60, `${steps.length} faults of ${seconds} s`);
  });
});

describe('growth', () => {
  const samples = (group: string, from: number, value: (at: number) => number): Sample[] =>
    Array.from({ length: 60 }, (_, i) => {
      const at = from + 10 * i;
      return { role: 'agent', group, at, rssMb: value(at), pssMb: 0, handles: 20 + (i % 3), threads: 11 };
    });

  test('is found in spite of noise, of a beginning that fills caches, and of processes that were replaced', () => {
    const noise = (at: number): number => ((at * 7919) % 13) / 4;
    const leaky = [
      ...samples('1', 0, (at) => 40 + 20 * Math.min(1, at / 60) + (10 * at) / 3600 + noise(at)),
      ...samples('2', 600, (at) => 30 + (10 * (at - 600)) / 3600 + noise(at)),
    ];
    assert.ok(Math.abs(slope(leaky, 'rssMb', 60).perHour! - 10) < 3);
    const { perHour, grown, most } = slope(leaky, 'handles', 60);
    assert.ok(Math.abs(perHour!) < 1 && Math.abs(grown!) < 0.5 && most === 22);
  });

  test('of what was hardly seen is not known', () => {
    assert.equal(slope(samples('1', 0, (at) => at).slice(0, 4), 'rssMb', 0).perHour, null);
    assert.equal(slope([], 'threads', 0).grown, null);
  });
});
