/** Whether an update is held back: every reason, and which of them beats which. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { resolve } from '../../../agent/config/resolve.js';
import { decide, earliest, notice, type Decision, type Situation } from '../../../agent/interfaces/balena/policy.js';

const hour = 3_600_000;
const day = 24 * hour;
const noon = Date.parse('2026-07-01T12:00:00Z');
const onAir: Situation = { delivering: true, probation: false };
const off: Situation = { delivering: false, probation: false };

function decided(env: Record<string, string>, situation: Situation, now = noon): Decision {
  const { settings, problems } = resolve({ env });
  assert.deepEqual(problems, []);
  return decide(settings, situation, now);
}

const cases: [name: string, env: Record<string, string>, situation: Situation, want: [hold: boolean, why: string]][] = [
  ['on the air', {}, onAir, [true, 'onAir']],
  ['off the air', {}, off, [false, 'idle']],
  ['a change on probation, off the air too', {}, { ...off, probation: true }, [true, 'probation']],
  ['always, off the air too', { UPDATE_LOCK: 'always' }, off, [true, 'always']],
  ['never, on the air too', { UPDATE_LOCK: 'never' }, { ...onAir, probation: true, command: 'lock' }, [false, 'never']],
  ['a command to lock', {}, { ...off, command: 'lock' }, [true, 'command']],
  ['a command to let go', {}, { ...onAir, command: 'unlock' }, [false, 'command']],
  ['a command to let go, and always', { UPDATE_LOCK: 'always' }, { ...onAir, command: 'unlock' }, [false, 'command']],
  ['a command to let go during probation', {}, { ...onAir, probation: true, command: 'unlock' }, [true, 'probation']],
  ['within the hours', { UPDATES_ON_AIR: 'window', UPDATES_WINDOW: '11:00-13:00' }, onAir, [false, 'window']],
  ['out of the hours', { UPDATES_ON_AIR: 'window', UPDATES_WINDOW: '13:00-14:00' }, onAir, [true, 'onAir']],
  [
    'within the hours, always',
    { UPDATES_ON_AIR: 'window', UPDATES_WINDOW: '11:00-13:00', UPDATE_LOCK: 'always' },
    off,
    [false, 'window'],
  ],
  [
    'within the hours of another place',
    { UPDATES_ON_AIR: 'window', UPDATES_WINDOW: '21:00-22:00', UPDATES_TIMEZONE: 'Asia/Tokyo' },
    onAir,
    [false, 'window'],
  ],
  [
    'within the hours, on probation',
    { UPDATES_ON_AIR: 'window', UPDATES_WINDOW: '11:00-13:00' },
    { ...onAir, probation: true },
    [true, 'probation'],
  ],
  [
    'within the hours, by a command to lock',
    { UPDATES_ON_AIR: 'window', UPDATES_WINDOW: '11:00-13:00' },
    { ...onAir, command: 'lock' },
    [true, 'command'],
  ],
  ['hours that do not count, since it waits', { UPDATES_WINDOW: '11:00-13:00' }, onAir, [true, 'onAir']],
  ['7 days less a millisecond', {}, { ...onAir, waitingSince: noon - 7 * day + 1 }, [true, 'onAir']],
  ['7 days', {}, { ...onAir, waitingSince: noon - 7 * day }, [false, 'overdue']],
  ['7 days, always', { UPDATE_LOCK: 'always' }, { ...off, waitingSince: noon - 7 * day }, [false, 'overdue']],
  ['7 days, but no end', { UPDATES_MAX_WAIT_DAYS: '0' }, { ...onAir, waitingSince: noon - 400 * day }, [true, 'onAir']],
  [
    'half a day of half a day',
    { UPDATES_MAX_WAIT_DAYS: '0.5' },
    { ...onAir, waitingSince: noon - day / 2 },
    [false, 'overdue'],
  ],
];

for (const [name, env, situation, want] of cases) {
  test(`${name}: ${want[0] ? 'held' : 'let in'}`, () => {
    const { hold, why } = decided(env, situation);
    assert.deepEqual([hold, why], want);
  });
}

test('a clock that was not set opens no window and ends no patience', () => {
  const window = { UPDATES_ON_AIR: 'window', UPDATES_WINDOW: '00:00-23:59' };
  assert.equal(decided(window, onAir, 5 * hour).hold, true);
  assert.equal(decided({}, { ...onAir, waitingSince: 0 }, earliest - 1).hold, true);
  assert.equal(decided(window, onAir, earliest).hold, false);
});

test('when an update is let in is known beforehand, where one waits', () => {
  const waiting = { ...onAir, waitingSince: noon };
  assert.equal(decided({}, waiting).letInAt, noon + 7 * day);
  assert.equal(decided({}, onAir).letInAt, undefined);
  const window = { UPDATES_ON_AIR: 'window', UPDATES_WINDOW: '03:00-04:00' };
  assert.equal(decided(window, waiting).letInAt, noon + 15 * hour);
  assert.equal(decided(window, onAir).letInAt, undefined);
});

test('warnings come a day and an hour before', () => {
  const decision = decided({}, { ...onAir, waitingSince: noon });
  const due = noon + 7 * day;
  assert.deepEqual(
    [due - day - 1, due - day, due - hour - 1, due - hour, due].map((now) => notice(decision, now)),
    ['none', 'day', 'day', 'hour', 'hour'],
  );
  assert.equal(notice(decided({}, onAir), noon), 'none');
});
