/** The last lines of the log: so many, of so much, and none of the status. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { systemClock } from '../../agent/clock.js';
import { Redactor } from '../../agent/config/redactor.js';
import { Log } from '../../agent/log.js';
import { Recent } from '../../agent/control/recent.js';

test('the last hundred lines, without secrets and status, none of any length', () => {
  const redactor = new Redactor();
  redactor.add(['geheim-4711']);
  const log = new Log({ level: 'warn', format: 'json' }, redactor, systemClock);
  const recent = new Recent(log, () => Date.UTC(2026, 0, 2));
  log.always('warn', 'status', 'on the air');
  for (let i = 0; i < 150; i++) log.always('warn', 'try', `${i} geheim-4711 ${'x'.repeat(2000)}`);
  const { lines } = recent;
  assert.equal(lines.length, 100);
  assert.deepEqual([lines[0]!.message.split(' ')[0], lines[0]!.at], ['50', '2026-01-02T00:00:00.000Z']);
  assert.doesNotMatch(JSON.stringify(lines), /geheim|"status"/);
  assert.ok(JSON.stringify(lines).length < 64_000);
});
