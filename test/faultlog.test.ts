import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Fault } from '../agent/errors.js';
import { FaultLog } from '../agent/faultlog.js';

test('what comes before there is a log waits for it, and is said once, in its order', () => {
  const lines: unknown[][] = [];
  const faults = new FaultLog();
  const { report } = faults;
  report(new Fault('state_set_aside', 'One.', 'Do this.'));
  report(new Fault('state_unwritable', 'Two.'));
  faults.attach({ warn: (...line) => lines.push(line) });
  report(new Fault('plugin_missing', 'Three.'));
  assert.deepEqual(lines, [
    ['state_set_aside', '[state_set_aside] One. Do this.', { code: 'state_set_aside' }],
    ['state_unwritable', '[state_unwritable] Two.', { code: 'state_unwritable' }],
    ['plugin_missing', '[plugin_missing] Three.', { code: 'plugin_missing' }],
  ]);
});
