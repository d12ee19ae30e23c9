/** How long is waited before what has failed is tried again: as pure steps, the clock, chance and the timer given. */
import assert from 'node:assert/strict';
import { afterEach, beforeEach, describe, test, mock } from 'node:test';
import { Backoff } from '../../agent/broadcast/backoff.js';

describe('what has failed', () => {
  let now = 0;
  let random = 1;
  const clock = { now: () => now, random: () => random };
  let calls = 0;
  const again = (): void => void (calls += 1);
  beforeEach(() => {
    [now, random, calls] = [0, 1, 0];
    mock.timers.enable({ apis: ['setTimeout'] });
  });
  afterEach(() => mock.timers.reset());

  /** The wait after which `backoff` calls, found by a clock that goes on in milliseconds. */
  function waited(backoff: Backoff): number {
    const before = calls;
    backoff.again(again);
    for (let ms = 0; ms <= 20_000; ms += 1) {
      if (calls > before) return ms;
      mock.timers.tick(1);
    }
    return Infinity;
  }
  const waits = (backoff: Backoff, count: number): number[] => Array.from({ length: count }, () => waited(backoff));

  test('is tried again soon, then ever more seldom, never later than the longest wait', () => {
    assert.deepEqual(waits(new Backoff(clock), 8), [300, 600, 1200, 2400, 4800, 9600, 10_000, 10_000]);
    assert.deepEqual(waits(new Backoff(clock, 1000, 400), 3), [400, 800, 1000]);
  });

  test('waits between half of that and all of it, by chance', () => {
    random = 0;
    assert.deepEqual(waits(new Backoff(clock), 3), [150, 300, 600]);
    random = 0.5;
    assert.deepEqual(waits(new Backoff(clock), 3), [225, 450, 900]);
  });

  test('is tried once, though it is asked for twice, and not at all once it is given up', () => {
    const backoff = new Backoff(clock);
    backoff.again(again);
    backoff.again(again);
    mock.timers.tick(20_000);
    assert.equal(calls, 1);
    backoff.again(again);
    backoff.cancel();
    mock.timers.tick(20_000);
    assert.equal(calls, 1);
  });

  test('is tried soon again once it has worked for ten seconds, and not before', () => {
    const backoff = new Backoff(clock);
    assert.deepEqual(waits(backoff, 3), [300, 600, 1200]);
    assert.equal(backoff.isSteady, false);
    now = 5000;
    backoff.progress();
    assert.equal(backoff.isSteady, false);
    now = 14_999;
    backoff.progress();
    assert.equal(backoff.isSteady, false);
    assert.equal(waited(backoff), 2400, 'it worked for too short a time');
    now = 20_000;
    backoff.progress();
    now = 29_999;
    assert.equal(backoff.isSteady, false, 'the time before the failure does not count');
    now = 30_000;
    assert.equal(backoff.isSteady, true);
    backoff.progress();
    assert.equal(waited(backoff), 300);
    assert.equal(backoff.isSteady, false, 'it has failed since');
  });

  test('begins anew where something else comes in its place', () => {
    const backoff = new Backoff(clock);
    waits(backoff, 3);
    backoff.progress();
    now = 10_000;
    backoff.again(again);
    backoff.progress();
    now = 30_000;
    backoff.reset();
    assert.equal(backoff.isSteady, false);
    mock.timers.tick(20_000);
    assert.equal(calls, 3, 'what still waited is given up');
    assert.equal(waited(backoff), 300);
  });
});
