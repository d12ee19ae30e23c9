/** A child may be silent for as long as its start, what it announced, and its pace allow. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { beatCheckMs, type ProcessReading } from '../../agent/media/silence.js';
import { Watchdog } from '../../agent/media/watchdog.js';

const pace = { beatMs: 400, hungMs: 1500 };
const unknown = (): undefined => undefined;

/** A process whose main thread can run and never does. */
function starving(): () => ProcessReading {
  let atMs = 0;
  return () => ({ atMs: (atMs += beatCheckMs), main: { isRunnable: true, ranMs: 0, waitedMs: 0 }, others: new Map() });
}

/** Milliseconds of silence until it is too long. */
function patience(watchdog: Watchdog, read: () => ProcessReading | undefined = unknown): number {
  for (let ms = beatCheckMs; ; ms += beatCheckMs) if (watchdog.look(read) !== undefined) return ms;
}

/** One that came up after so many looks. */
function up(looks: number, read: () => ProcessReading | undefined = unknown): Watchdog {
  const watchdog = new Watchdog(pace);
  watchdog.started();
  for (let i = 0; i < looks; i++) assert.equal(watchdog.look(read), undefined);
  watchdog.heard('beat');
  return watchdog;
}

test('a start may take a minute', () => {
  const watchdog = new Watchdog(pace);
  watchdog.started();
  assert.equal(patience(watchdog), 60_000);
});

test('a child that came up slowly is given three times as long, up to 10 s', () => {
  assert.deepEqual(
    [0, 1, 2, 3, 8, 13, 14, 100].map((looks) => patience(up(looks))),
    [1500, 1500, 1500, 2250, 6000, 9750, 10_000, 10_000],
  );
});

test('one that came up slowly for want of a processor is not: that passes', () => {
  // Two looks before the first reading, and what was read was all waiting.
  assert.equal(patience(up(20, starving())), 1500);
});

test('one that says it is busy may be silent for 8 s, until it says anything else', () => {
  const watchdog = up(1);
  watchdog.heard('busy');
  assert.equal(patience(watchdog), 8000);
  watchdog.heard('busy');
  watchdog.heard('playing');
  assert.equal(patience(watchdog), 1500);
  const slow = up(20);
  slow.heard('busy');
  assert.equal(patience(slow), 10_000);
});

test('one that waits for a processor is waited for, and it is said how long that was', () => {
  const watchdog = up(1);
  const read = starving();
  for (let ms = beatCheckMs; ms < 30_000; ms += beatCheckMs) assert.equal(watchdog.look(read), undefined);
  assert.equal(watchdog.look(read), '30 s, 30 s of it waiting for a processor');
});

test('another start is judged anew', () => {
  const watchdog = up(20);
  watchdog.started();
  watchdog.heard('beat');
  assert.equal(patience(watchdog), 1500);
});

test('a child that beats is not looked into', () => {
  const watchdog = up(0);
  for (let i = 0; i < 1000; i++) {
    assert.equal(
      watchdog.look(() => assert.fail('it was read')),
      undefined,
    );
    watchdog.heard('beat');
  }
});
