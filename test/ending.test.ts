/** The end of a run: by a signal, by whoever asks, and by force where it does not come. */
import assert from 'node:assert/strict';
import { EventEmitter } from 'node:events';
import { test, type TestContext } from 'node:test';
import { Ending } from '../agent/ending.js';

function begun(t: TestContext) {
  t.mock.timers.enable({ apis: ['setTimeout'] });
  const source = new EventEmitter();
  const clock = { at: 5000, now: () => clock.at };
  const left: number[] = [];
  const ending = new Ending(source, clock, (code) => left.push(code));
  ending.start();
  return { source, clock, left, ending };
}

for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) {
  test(`${signal}: the end in order is asked for`, async (t) => {
    const { source, ending, left } = begun(t);
    source.emit(signal);
    assert.equal(await ending.code, 0);
    assert.deepEqual(left, []);
  });
}

test('what npm passes on is no second wish; what comes later is one, of somebody in a hurry', (t) => {
  const { source, clock, left } = begun(t);
  source.emit('SIGINT');
  clock.at += 300;
  source.emit('SIGINT');
  assert.deepEqual(left, []);
  clock.at += 1;
  source.emit('SIGTERM');
  assert.deepEqual(left, [1]);
});

test('7 s after the first signal the program ends, whatever hangs', (t) => {
  const { source, left } = begun(t);
  source.emit('SIGTERM');
  t.mock.timers.tick(3000);
  source.emit('SIGTERM');
  t.mock.timers.tick(3999);
  assert.deepEqual(left, []);
  t.mock.timers.tick(1);
  assert.deepEqual(left, [1]);
});

test('whoever asks first says how it ends, and without a signal nothing is forced', async (t) => {
  const { ending, left } = begun(t);
  ending.ask(3);
  ending.ask(0);
  assert.equal(await ending.code, 3);
  t.mock.timers.tick(60_000);
  assert.deepEqual(left, []);
});

test('once stopped it hears nothing more, and forces nothing', (t) => {
  const { source, ending, left } = begun(t);
  source.emit('SIGHUP');
  ending.stop();
  assert.equal(source.listenerCount('SIGHUP') + source.listenerCount('SIGINT') + source.listenerCount('SIGTERM'), 0);
  t.mock.timers.tick(60_000);
  assert.deepEqual(left, []);
});
