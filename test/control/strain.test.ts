/** Under-voltage, heat and lowered clocks: said as each begins, and not forgotten when it is over. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { BoardStrain, strainFaults } from '../../agent/control/strain.js';
import { statusLine, type Status } from '../../agent/control/status.js';

const idle: Status = { version: '1', wanted: 'idle', actual: 'idle', uptimeSeconds: 1, problems: [], outputs: {} };

test('said once for as long as it lasts, again when it comes again, and kept in the status', () => {
  const board = new BoardStrain();
  const codes = (...[strain]: Parameters<BoardStrain['look']>): string[] => board.look(strain).map(({ code }) => code);
  assert.deepEqual(codes(undefined), []);
  assert.equal(board.status, undefined);
  assert.deepEqual(codes({ underVoltage: false, throttled: false, hot: false }), []);
  assert.equal(board.status, undefined);
  assert.deepEqual(codes({ underVoltage: true, throttled: true, hot: false }), ['under_voltage', 'throttled']);
  assert.deepEqual(codes({ underVoltage: true, throttled: true, hot: false }), []);
  assert.deepEqual(board.status, { underVoltage: 'now', throttled: 'now' });
  assert.equal(statusLine({ ...idle, strain: board.status! }), 'idle; under-voltage; throttled');
  assert.deepEqual(codes({ underVoltage: false, throttled: false, hot: true }), ['too_hot']);
  assert.deepEqual(board.status, { underVoltage: 'earlier', hot: 'now', throttled: 'earlier' });
  assert.equal(
    statusLine({ ...idle, strain: board.status! }),
    'idle; under-voltage earlier; too hot; throttled earlier',
  );
  assert.deepEqual(codes({ underVoltage: true }), ['under_voltage']);
  assert.deepEqual(codes(undefined), []);
  assert.deepEqual(board.status, { underVoltage: 'earlier', hot: 'earlier', throttled: 'earlier' });
});

test('for a look at one moment: each that is so, with its remedy', () => {
  assert.deepEqual(strainFaults(undefined), []);
  assert.deepEqual(strainFaults({ underVoltage: false, throttled: false, hot: false }), []);
  const found = strainFaults({ underVoltage: true, throttled: true, hot: true });
  assert.deepEqual(
    found.map(({ code }) => code),
    ['under_voltage', 'too_hot', 'throttled'],
  );
  assert.ok(found.every(({ remedy }) => remedy !== ''));
});
